#include "coldboost.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Only lower bounds: how much longer a wait takes is the machine's business. */
static void expect_at_least(uint64_t ns)
{
    uint64_t start = read_ns(CLOCK_MONOTONIC);
    coldboost_spin_wait_ns(ns);
    uint64_t took = read_ns(CLOCK_MONOTONIC) - start;
    cr_assert_geq(took + ns / 50, ns, "%ju ns took %ju", (uintmax_t)ns, (uintmax_t)took);
}

Test(spin, waits_as_long_as_asked)
{
    static const uint64_t waits[] = {0, 1, 1000, 100000, 3000000, 10000000, 10000001, 30000000};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
            expect_at_least(waits[i]);
}

Test(spin, first_wait_may_be_a_long_one)
{
    expect_at_least(5000000);
    expect_at_least(5000000);
}

Test(spin, sleeps_when_the_wait_is_long)
{
    uint64_t busy = read_ns(CLOCK_PROCESS_CPUTIME_ID);
    expect_at_least(200000000);
    busy = read_ns(CLOCK_PROCESS_CPUTIME_ID) - busy;
    cr_assert_lt(busy, 20000000, "%ju ns busy", (uintmax_t)busy);
}

static void on_alarm(int number)
{
    (void)number;
}

Test(spin, lasts_to_its_end_under_signals)
{
    signal(SIGALRM, on_alarm);
    struct itimerval every = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &every, NULL);
    expect_at_least(50000000);
    expect_at_least(8000000);
}

Test(spin, counts_hints)
{
    optimized_spin_wait(0);
    optimized_spin_wait(1);
    optimized_spin_wait(1000);
}
