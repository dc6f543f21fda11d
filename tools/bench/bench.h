/*
 * bench.h: what coldboost bench starts, and how often.
 */
#pragma once

#include "measure/bench_result.h"
#include "measure/io_floor.h"
#include "measure/timeline.h"
#include "replay/profile.h"
#include "start/program.h"
#include "start/until.h"

#include <sys/types.h>

struct bench {
    struct program program;
    uint8_t *profile_bytes;
    struct profile parsed;
    const struct profile_executable *section;
    struct io_floor *floor; /* NULL without a profile */
    char *self;
    struct until until;
    int listener;        /* where the Lambda runtime interface would be, or -1 */
    int words;           /* what a start says on stderr, or where /dev/null is */
    bool ignore_failure; /* if it is the same every time */
    int expected;        /* the wait status of a good start */
    struct bench_result result;
};

/* ---- bench_start.c: one start ----------------------------------------------------------------*/

/* To be called before the first start. What is asked to end then ends with what it started. */
void bench_prepare(struct bench *bench);

/*
 * Makes a start of the variant, cold if it is a cold one; *ms: from spawn to exit, or to what it is
 * waited for. Returns its wait status, or BENCH_NO_SIGN. The watch, unless it is NULL, begins when
 * all is cold.
 */
int bench_start(const struct bench *bench, enum bench_step variant, struct timeline_watch *watch,
                double *ms);

/* The same, but exits with a message if it does not end as it should. Returns the milliseconds. */
double bench_time_start(const struct bench *bench, enum bench_step variant,
                        struct timeline_watch *watch);

/* A start under way: with its standard error at `output`, and its standard output too if a line is
 * waited for. *begin: when, in milliseconds. To be followed by bench_await_end(), once. */
pid_t bench_spawn(const struct bench *bench, enum bench_step step, bool cold, int output,
                  struct timeline_watch *watch, double *begin);
int bench_await_end(pid_t child);

/* For the message of a start that fails: what it has said. */
void bench_keep_words(const struct bench *bench, const char *text, ssize_t n);

/* Milliseconds that it takes to read the profile's pages and nothing else. */
double bench_time_io_floor(const struct bench *bench);

/* Exits with a message unless a start has ended as it should. */
void bench_expect_good_end(const struct bench *bench, enum bench_step step, int status);

/* "ended with signal 9"; the caller's to free. */
char *bench_describe_end(const struct bench *bench, int status);

/* ---- bench_until.c: what is not waited for to its end -----------------------------------------*/

/* A wait status that there is not: it ended, or a minute passed, before what is waited for. */
#define BENCH_NO_SIGN (-1)

/* Makes the port at which --until ready is answered, and names it in the environment. */
void bench_listen(struct bench *bench);

/* As bench_start(), with an --until. Then it is told to end, and killed after ten seconds. */
int bench_start_server(const struct bench *bench, enum bench_step variant,
                       struct timeline_watch *watch, double *ms);

/*
 * Milliseconds from spawn until the constructor gets control; NAN if it never does, as the object
 * is not loaded.
 */
double bench_time_constructor(const struct bench *bench, bool cold);

/* ---- bench_rounds.c: all of them -------------------------------------------------------------*/

/* Fills in the samples, and why there are none of a variant. */
void bench_measure(struct bench *bench);

/* ---- bench_print.c ---------------------------------------------------------------------------*/

void bench_print_table(const struct bench_result *result);
void bench_print_json(const struct bench_result *result);
