#include "bench.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct bench_result result;

static void expect(struct estimate run, struct estimate preload, struct estimate warm,
                   const char *expected)
{
    result.rounds = 7;
    result.ratio[RUN] = run;
    result.ratio[PRELOAD] = preload;
    result.warm_ratio = warm;
    char *verdict = bench_verdict(&result);
    cr_expect_str_eq(verdict, expected);
    free(verdict);
}

Test(verdict, a_gain_and_a_cost_come_with_their_intervals)
{
    expect((struct estimate){0.62, 0.58, 0.65}, (struct estimate){0.72, 0.699, 0.761},
           (struct estimate){1.012, 1.004, 1.02},
           "With coldboost run a cold start takes 38.0 % less time (35.0 to 42.0 %); with "
           "LD_PRELOAD it takes 28.0 % less time (23.9 to 30.1 %); a warm start, preloaded, takes "
           "1.2 % more time (0.4 to 2.0 %).");
}

Test(verdict, an_interval_that_spans_1_shows_nothing)
{
    expect((struct estimate){0.98, 0.95, 1.01}, (struct estimate){1.02, 1.0, 1.1},
           (struct estimate){0.99, 0.97, 1.03},
           "With coldboost run a cold start has no gain that this run can show (-5.0 to +1.0 %); "
           "with LD_PRELOAD it has no gain that this run can show (+0.0 to +10.0 %); a warm start, "
           "preloaded, has no cost that this run can show (-3.0 to +3.0 %).");
}

Test(verdict, a_loss_is_called_one)
{
    expect((struct estimate){1.1, 1.05, 1.2}, (struct estimate){1.5, 1.4, 1.6},
           (struct estimate){0.9, 0.8, 0.95},
           "With coldboost run a cold start takes 10.0 % more time (5.0 to 20.0 %); with "
           "LD_PRELOAD it takes 50.0 % more time (40.0 to 60.0 %); a warm start, preloaded, takes "
           "10.0 % less time (5.0 to 20.0 %).");
}

Test(verdict, a_few_rounds_give_none)
{
    result.rounds = STATISTICS_MIN_ROUNDS - 1;
    char *verdict = bench_verdict(&result);
    cr_expect_str_eq(verdict, "Too few rounds for a verdict: give -n 6 or more.");
    free(verdict);
}

/* Each step took the same in all rounds: every figure is certain. */
Test(bench, figures_are_made_of_the_right_samples)
{
    enum { ROUNDS = 6 };
    static const double times[STEP_COUNT] = {
        [COLD] = 100,        [PRELOAD] = 60,      [RUN] = 50,      [WARM] = 20,
        [WARM_PRELOAD] = 22, [CONSTRUCTOR] = NAN, [IO_FLOOR] = 36,
    };
    static double samples[STEP_COUNT][ROUNDS];
    static struct bench_result made = {.rounds = ROUNDS};
    for (int step = 0; step < STEP_COUNT; step++) {
        made.ms[step] = samples[step];
        for (int round = 0; round < ROUNDS; round++)
            samples[step][round] = times[step];
    }
    bench_estimate(&made);
    cr_expect_eq(made.time[IO_FLOOR].value, 36);
    cr_expect(isnan(made.time[CONSTRUCTOR].value));
    cr_expect_float_eq(made.ratio[WARM_PRELOAD].value, 0.22, 1e-9);
    cr_expect_float_eq(made.warm_ratio.value, 1.1, 1e-9);
    cr_expect_float_eq(made.efficiency[PRELOAD].value, 40 / 64., 1e-9);
    cr_expect_float_eq(made.efficiency[RUN].value, 50 / 64., 1e-9);
    cr_expect(isnan(made.efficiency[WARM].value));
    free(made.verdict);

    made.ms[IO_FLOOR] = NULL; /* no profile */
    bench_estimate(&made);
    cr_expect(isnan(made.time[IO_FLOOR].value));
    cr_expect_float_eq(made.efficiency[RUN].value, 50 / 80., 1e-9);
    free(made.verdict);
}
