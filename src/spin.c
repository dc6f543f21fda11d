/*
 * spin.c: short waits.
 *
 * The CPU's hint says "this is a spin loop": it saves power, yields the core to a sibling thread
 * and avoids a pipeline flush when the loop ends. How long one hint lasts differs by a factor of
 * ten between CPUs, so a wait in nanoseconds is measured against the invariant counter.
 */
#include "coldboost.h"

#include "pause.h"
#include "syscall.h"

#include <stdbool.h>
#include <stddef.h>

#define SLEEP_FROM_NS  10000000u /* longer waits go to the kernel's timer */
#define CALIBRATION_NS 20000u    /* two reads of the clock err by some 0.1 µs: 0.5 % */

/* The kernel's struct timespec, and its numbers. */
struct kernel_time {
    long seconds;
    long nanoseconds;
};
#define CLOCK_MONOTONIC_ID 1
#define ABSOLUTE_TIME      1

void optimized_spin_wait(uint64_t iterations)
{
    for (; iterations; iterations--)
        cb_pause();
}

static uint64_t clock_ns(void)
{
    struct kernel_time now = {0, 0};
    cb_syscall6(SYS_clock_gettime, CLOCK_MONOTONIC_ID, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.seconds * 1000000000u + (uint64_t)now.nanoseconds;
}

static void spin_by_clock(uint64_t ns)
{
    for (uint64_t start = clock_ns(); clock_ns() - start < ns;)
        cb_pause();
}

/* The kernel sleeps to a point in time, so that signals that interrupt it do not add up. */
static void sleep_by_timer(uint64_t ns)
{
    uint64_t end = clock_ns() + ns;
    struct kernel_time at = {(long)(end / 1000000000u), (long)(end % 1000000000u)};
    while (clock_ns() < end)
        if (cb_syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC_ID, ABSOLUTE_TIME, (long)&at, 0, 0, 0))
            cb_pause();
}

void coldboost_spin_wait_ns(uint64_t ns)
{
    if (ns > SLEEP_FROM_NS)
        sleep_by_timer(ns);
    else
        spin_by_clock(ns);
}
