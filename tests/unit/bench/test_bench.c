#include "measure/bench_result.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char object[] = "/lib/libcoldboost.so", profile[] = "/srv/app.cbp";
static const struct estimate gain = {0.62, 0.58, 0.65}, small_gain = {0.72, 0.699, 0.761},
                             nothing = {0.98, 0.95, 1.01}, loss = {1.1, 1.05, 1.2},
                             unknown = {NAN, NAN, NAN};
static struct bench_result result;

static void expect(struct estimate preload, struct estimate audit, struct estimate run,
                   struct estimate warm, const char *expected)
{
    result.rounds = 7;
    result.object = object;
    result.ratio[PRELOAD] = preload;
    result.ratio[AUDIT] = audit;
    result.ratio[RUN] = run;
    result.warm_ratio = warm;
    char *verdict = bench_verdict(&result);
    cr_expect_str_eq(verdict, expected);
    free(verdict);
}

Test(verdict, a_gain_and_a_cost_come_with_their_intervals)
{
    result.profile = profile;
    result.best = RUN;
    result.to_best[PRELOAD] = result.to_best[AUDIT] = (struct estimate){1.2, 1.01, 1.3};
    expect(
        small_gain, (struct estimate){0.641, 0.6, 0.7}, gain, (struct estimate){1.012, 1.004, 1.02},
        "With coldboost run a cold start takes 38.0 % less time (35.0 to 42.0 %); with LD_PRELOAD "
        "it takes 28.0 % less time (23.9 to 30.1 %); with LD_AUDIT it takes 35.9 % less time "
        "(30.0 to 40.0 %); a warm start, preloaded, takes 1.2 % more time (0.4 to 2.0 %); so it "
        "is best started with coldboost run -p /srv/app.cbp.");
}

Test(verdict, an_interval_that_spans_1_shows_nothing)
{
    expect(
        (struct estimate){1.02, 1.0, 1.1}, nothing, nothing, (struct estimate){0.99, 0.97, 1.03},
        "With coldboost run a cold start has no gain that this run can show (-5.0 to +1.0 %); with "
        "LD_PRELOAD it has no gain that this run can show (+0.0 to +10.0 %); with LD_AUDIT it "
        "has no gain that this run can show (-5.0 to +1.0 %); a warm start, preloaded, has no "
        "cost that this run can show (-3.0 to +3.0 %); so it is best started as it is.");
}

Test(verdict, a_loss_is_called_one)
{
    result.profile = profile;
    expect(
        loss, (struct estimate){1.5, 1.4, 1.6}, loss, (struct estimate){0.9, 0.8, 0.95},
        "With coldboost run a cold start takes 10.0 % more time (5.0 to 20.0 %); with LD_PRELOAD "
        "it takes 10.0 % more time (5.0 to 20.0 %); with LD_AUDIT it takes 50.0 % more time "
        "(40.0 to 60.0 %); a warm start, preloaded, takes 10.0 % less time (5.0 to 20.0 %); so "
        "it is best started as it is.");
}

Test(verdict, what_was_not_measured_is_not_named)
{
    result.best = PRELOAD;
    expect(
        small_gain, unknown, nothing, (struct estimate){0.99, 0.97, 1.03},
        "With coldboost run a cold start has no gain that this run can show (-5.0 to +1.0 %); with "
        "LD_PRELOAD it takes 28.0 % less time (23.9 to 30.1 %); a warm start, preloaded, "
        "has no cost that this run can show (-3.0 to +3.0 %); so it is best started with "
        "LD_PRELOAD=/lib/libcoldboost.so.");
}

/* Whichever it is: with its variable or command, the profile if there is one, and its equals. */
Test(verdict, the_advice_is_the_way_with_the_least_time)
{
    enum { ROUNDS = STATISTICS_MIN_ROUNDS };
    static const struct {
        double ms[3][2]; /* of RUN, PRELOAD and AUDIT, in turn; 0: left out */
        bool with_profile;
        const char *advice;
    } cases[] = {
        {{{70, 71}, {50, 51}, {60, 61}},
         true,
         "with LD_PRELOAD=/lib/libcoldboost.so COLDBOOST_PROFILE=/srv/app.cbp."},
        {{{70, 71}, {60, 61}, {50, 51}},
         true,
         "with LD_AUDIT=/lib/libcoldboost.so COLDBOOST_PROFILE=/srv/app.cbp for this program "
         "alone."},
        /* Others may not bear it: where chance may have decided, the way that all do. */
        {{{50, 51}, {60, 61}, {40, 60}},
         true,
         "with coldboost run -p /srv/app.cbp; these rounds cannot tell LD_AUDIT from that."},
        {{{50, 51}, {60, 61}, {0, 0}}, false, "with coldboost run."},
        /* Not at all times less than a cold start, though on average. */
        {{{101, 102}, {60, 61}, {30, 130}},
         true,
         "with LD_PRELOAD=/lib/libcoldboost.so COLDBOOST_PROFILE=/srv/app.cbp."},
        {{{50, 40}, {60, 61}, {40, 60}},
         true,
         "with coldboost run -p /srv/app.cbp; these rounds cannot tell LD_AUDIT from that."},
        {{{50, 40}, {40, 60}, {51, 40}},
         true,
         "with coldboost run -p /srv/app.cbp; these rounds cannot tell LD_PRELOAD or LD_AUDIT from "
         "that."},
        {{{110, 111}, {100, 101}, {100, 99}}, true, "as it is."},
    };
    static double samples[VARIANT_COUNT][ROUNDS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench_result made = {.rounds = ROUNDS, .object = object};
        made.profile = cases[i].with_profile ? profile : NULL;
        for (enum bench_step v = 0; v < VARIANT_COUNT; v++) {
            bool is_way = bench_is_boosted(v);
            for (int round = 0; round < ROUNDS; round++)
                samples[v][round] = is_way ? cases[i].ms[v - RUN][round % 2] : 100;
            made.ms[v] = samples[v][0] > 0 ? samples[v] : NULL;
        }
        bench_estimate(&made);
        static const char before[] = "; so it is best started ";
        const char *advice = strstr(made.verdict, before);
        cr_assert_not_null(advice);
        cr_expect_str_eq(advice + strlen(before), cases[i].advice);
        free(made.verdict);
    }
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
        [COLD] = 100, [PRELOAD] = 60,      [AUDIT] = 52,        [RUN] = 50,
        [WARM] = 20,  [WARM_PRELOAD] = 22, [CONSTRUCTOR] = NAN, [IO_FLOOR] = 36,
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
    cr_expect_float_eq(made.ratio[AUDIT].value, 0.52, 1e-9);
    cr_expect_float_eq(made.efficiency[AUDIT].value, 48 / 64., 1e-9);
    cr_expect_float_eq(made.efficiency[RUN].value, 50 / 64., 1e-9);
    cr_expect(isnan(made.efficiency[WARM].value));
    free(made.verdict);

    made.ms[IO_FLOOR] = made.ms[AUDIT] = NULL; /* no profile */
    bench_estimate(&made);
    cr_expect(isnan(made.time[IO_FLOOR].value));
    cr_expect(isnan(made.ratio[AUDIT].value) && isnan(made.efficiency[AUDIT].value));
    cr_expect_float_eq(made.efficiency[RUN].value, 50 / 80., 1e-9);
    free(made.verdict);
}
