/*
 * spin.c: short waits.
 *
 * The CPU's hint says "this is a spin loop": it saves power, yields the core to a sibling thread
 * and avoids a pipeline flush when the loop ends. How long one hint lasts differs by a factor of
 * ten between CPUs, so a wait in nanoseconds is measured against the invariant counter.
 */
#include "coldboost.h"

#include "base/sys.h"
#include "pause.h"

#include <stdbool.h>
#include <stddef.h>

#define SECOND_NS      1000000000u
#define SLEEP_ABOVE_NS 10000000u /* longer waits go to the kernel's timer */
#define CALIBRATION_NS 20000u    /* two readings err by some 0.1 µs: 0.5 % */
#define NO_HINT_NS     100u      /* the end of a wait: a hint may last longer than what is left */

void optimized_spin_wait(uint64_t iterations)
{
    for (; iterations; iterations--)
        cb_pause();
}

static void spin_by_clock(uint64_t ns)
{
    for (uint64_t start = sys_monotonic_ns(); sys_monotonic_ns() - start < ns;)
        cb_pause();
}

/* A point in time on both clocks. */
struct moment {
    uint64_t counter;
    uint64_t ns;
};

/* The tightest of a few readings: any one of them may have been interrupted. */
static struct moment read_both_clocks(void)
{
    struct moment best = {0, 0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 4; i++) {
        uint64_t before = cb_counter(), ns = sys_monotonic_ns(), width = cb_counter() - before;
        if (width < best_width) {
            best_width = width;
            best = (struct moment){before + width / 2, ns};
        }
    }
    return best;
}

#define NO_COUNTER UINT64_MAX

/* Ticks of the counter a second; 0: not known yet. Two threads may both find it. */
static uint64_t counter_hz;

/* Waits at least ns and at least CALIBRATION_NS, and finds counter_hz meanwhile. */
static void spin_and_calibrate(uint64_t ns)
{
    struct moment start = read_both_clocks();
    spin_by_clock(ns > CALIBRATION_NS ? ns : CALIBRATION_NS);
    struct moment end = read_both_clocks();
    uint64_t hz = (end.counter - start.counter) * SECOND_NS / (end.ns - start.ns);
    __atomic_store_n(&counter_hz, hz, __ATOMIC_RELAXED);
}

/* Neither product overflows: ns is at most 10^7 and no counter runs at 10^12 Hz. */
static void spin_by_counter(uint64_t ns, uint64_t hz)
{
    uint64_t start = cb_counter(), ticks = ns * hz / SECOND_NS;
    uint64_t no_hint_ticks = NO_HINT_NS * hz / SECOND_NS;
    for (;;) {
        uint64_t passed = cb_counter() - start;
        if (passed >= ticks)
            break;
        if (ticks - passed > no_hint_ticks)
            cb_pause();
    }
}

/* The kernel sleeps to a point in time, so that signals that interrupt it do not add up. */
static void sleep_by_timer(uint64_t ns)
{
    uint64_t now = sys_monotonic_ns(), end = ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
    while (sys_monotonic_ns() < end)
        if (sys_sleep_until(end))
            cb_pause();
}

void coldboost_spin_wait_ns(uint64_t ns)
{
    if (ns > SLEEP_ABOVE_NS) {
        sleep_by_timer(ns);
        return;
    }
    uint64_t hz = __atomic_load_n(&counter_hz, __ATOMIC_RELAXED);
    if (!hz) {
        hz = cb_counter_is_steady() ? cb_counter_hz() : NO_COUNTER;
        if (hz)
            __atomic_store_n(&counter_hz, hz, __ATOMIC_RELAXED);
    }
    if (!hz)
        spin_and_calibrate(ns);
    else if (hz == NO_COUNTER)
        spin_by_clock(ns);
    else
        spin_by_counter(ns, hz);
}
