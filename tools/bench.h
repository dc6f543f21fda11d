/*
 * bench.h: what coldboost bench has measured, for its report and its plot.
 */
#ifndef CB_BENCH_H
#define CB_BENCH_H

#include "statistics.h"

#include <stdbool.h>
#include <stddef.h>

/* What a round measures: the variants, then the limits of any boost. */
enum bench_step {
    COLD,
    PRELOAD,
    RUN,
    WARM,
    WARM_PRELOAD,
    VARIANT_COUNT,
    CONSTRUCTOR = VARIANT_COUNT, /* when LD_PRELOAD gets control in a cold start */
    IO_FLOOR,                    /* all of the profile's pages, and nothing else */
    STEP_COUNT
};

struct bench_result {
    char **command;
    size_t rounds;
    bool dropped_everything;
    double *ms[STEP_COUNT]; /* [round]; NULL or NAN where it could not be measured */
    /* What follows is made of these by bench_estimate(). */
    struct estimate time[STEP_COUNT];
    struct estimate ratio[VARIANT_COUNT];      /* to cold */
    struct estimate efficiency[VARIANT_COUNT]; /* of PRELOAD and RUN */
    struct estimate warm_ratio;                /* WARM_PRELOAD to WARM */
    char *verdict;                             /* one sentence */
};

/* For people. */
static inline const char *bench_name(enum bench_step variant)
{
    static const char *const names[VARIANT_COUNT] = {
        [COLD] = "cold", [PRELOAD] = "LD_PRELOAD",        [RUN] = "coldboost run",
        [WARM] = "warm", [WARM_PRELOAD] = "warm+preload",
    };
    return names[variant];
}

void bench_estimate(struct bench_result *result);

/* The verdict that the ratios give; the caller's to free. */
char *bench_verdict(const struct bench_result *result);

void bench_print_table(const struct bench_result *result);
void bench_print_json(const struct bench_result *result);

#endif
