/*
 * bench.h: what coldboost bench starts, and how often.
 */
#ifndef CB_BENCH_H
#define CB_BENCH_H

#include "measure/bench_result.h"
#include "measure/io_floor.h"
#include "profile/timeline.h"
#include "replay/profile.h"
#include "start/program.h"

struct bench {
    struct program program;
    uint8_t *profile_bytes;
    struct profile parsed;
    const struct profile_executable *section;
    struct io_floor *floor; /* NULL without a profile */
    char *self;
    int words;           /* what a start says on stderr, or where /dev/null is */
    bool ignore_failure; /* if it is the same every time */
    int expected;        /* the wait status of a good start */
    struct bench_result result;
};

/* ---- bench_start.c: one start ----------------------------------------------------------------*/

/* To be called before the first start. What is asked to end then ends with what it started. */
void bench_prepare(struct bench *bench);

/*
 * Makes a start of the variant, cold if it is a cold one; *ms: from spawn to exit. Returns its wait
 * status. The watch, unless it is NULL, begins when all is cold.
 */
int bench_start(const struct bench *bench, enum bench_step variant, struct timeline_watch *watch,
                double *ms);

/* The same, but exits with a message if it does not end as it should. Returns the milliseconds. */
double bench_time_start(const struct bench *bench, enum bench_step variant,
                        struct timeline_watch *watch);

/*
 * Milliseconds from spawn until the constructor gets control; NAN if it never does, as the object
 * is not loaded.
 */
double bench_time_constructor(const struct bench *bench, bool cold);

/* Milliseconds that it takes to read the profile's pages and nothing else. */
double bench_time_io_floor(const struct bench *bench);

/* Exits with a message unless a start has ended as it should. */
void bench_expect_good_end(const struct bench *bench, enum bench_step step, int status);

/* "ended with signal 9"; the caller's to free. */
char *bench_describe_end(const struct bench *bench, int status);

/* ---- bench_rounds.c: all of them -------------------------------------------------------------*/

/* Fills in the samples, and why there are none of a variant. */
void bench_measure(struct bench *bench);

/* ---- bench_print.c ---------------------------------------------------------------------------*/

void bench_print_table(const struct bench_result *result);
void bench_print_json(const struct bench_result *result);

#endif
