/*
 * bench_result.h: what coldboost bench has measured, for its report and its plot.
 */
#pragma once

#include "measure/statistics.h"
#include "profile/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a round measures: the variants, then the limits of any boost. */
enum bench_step {
    COLD,
    RUN, /* the first of the ways to boost a start, and the one that every program bears */
    PRELOAD,
    AUDIT, /* the last */
    WARM,
    WARM_PRELOAD,
    VARIANT_COUNT,
    CONSTRUCTOR = VARIANT_COUNT, /* when LD_PRELOAD gets control in a cold start */
    IO_FLOOR,                    /* all of the profile's pages, and nothing else */
    STEP_COUNT
};

struct bench_result {
    char **command;
    const char *until;            /* what a start is measured to; NULL: its exit */
    char *object, *profile;       /* libcoldboost.so; the profile, or NULL */
    struct identity_counts files; /* of the profile's section */
    size_t rounds;
    bool dropped_everything;
    /* Why nothing is measured with LD_PRELOAD, and with LD_AUDIT, or NULL. */
    const char *preload_obstacle, *audit_obstacle;
    double *ms[STEP_COUNT]; /* [round]; NULL or NAN where it could not be measured */
    /* What follows is made of these by bench_estimate(). */
    struct estimate time[STEP_COUNT];
    struct estimate ratio[VARIANT_COUNT];      /* to cold */
    struct estimate efficiency[VARIANT_COUNT]; /* of the ways to boost a start */
    struct estimate warm_ratio;                /* WARM_PRELOAD to WARM */
    enum bench_step best;                      /* way to start it; COLD: as it is */
    struct estimate to_best[VARIANT_COUNT];    /* a way's time to the best one's */
    char *verdict;                             /* one sentence */
};

struct bench_kind {
    const char *name;     /* for people */
    const char *key;      /* in JSON */
    const char *variable; /* that names libcoldboost.so to the loader, or NULL */
    bool cold;            /* begins with nothing in memory */
    uint32_t colour;      /* in the plot, 0xRRGGBB */
};

static inline const struct bench_kind *bench_kind(enum bench_step step)
{
    static const struct bench_kind kinds[STEP_COUNT] = {
        [COLD] = {"cold", "cold", NULL, true, 0x8c95a0},
        [RUN] = {"coldboost run", "run", NULL, true, 0x1f66ad},
        [PRELOAD] = {"LD_PRELOAD", "preload", "LD_PRELOAD", true, 0x5fa3d9},
        [AUDIT] = {"LD_AUDIT", "audit", "LD_AUDIT", true, 0x2f8f9d},
        [WARM] = {"warm", "warm", NULL, false, 0xe3b45c},
        [WARM_PRELOAD] = {"warm+preload", "warm_preload", "LD_PRELOAD", false, 0xc98a1b},
        [CONSTRUCTOR] = {"constructor", "constructor_ms", "LD_PRELOAD", true, 0xb9a3cf},
        [IO_FLOOR] = {"I/O floor", "io_floor_ms", NULL, true, 0x7fae8e},
    };
    return &kinds[step];
}

/* Why there are no samples of a step. */
static inline const char *bench_obstacle(const struct bench_result *result, enum bench_step step)
{
    return step == AUDIT                ? result->audit_obstacle
           : bench_kind(step)->variable ? result->preload_obstacle
                                        : NULL;
}

/* One of the ways to boost a start, which have an efficiency. */
static inline bool bench_is_boosted(enum bench_step step)
{
    return step >= RUN && step <= AUDIT;
}

void bench_estimate(struct bench_result *result);

/* The verdict that the other figures give; the caller's to free. */
char *bench_verdict(const struct bench_result *result);
