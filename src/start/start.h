/*
 * start.h: what becomes of a start: whether it is replayed, where, and the replay itself.
 */
#pragma once

#include "start/admission.h"
#include "start/request.h"

enum start_outcome {
    START_REPLAYED,  /* a replay has been started, or is over, or all is in memory already */
    START_DENIED,    /* it is not to be replayed: holdout, or a restart */
    START_NOT_NAMED, /* the profile is about other programs, or this process does nothing */
    START_FAILED,    /* no profile, or it is none, or no memory or thread could be had */
};

struct start_result {
    enum start_outcome outcome;
    int error; /* of START_FAILED: -errno; -ENOENT also if there is no profile to look into */
    struct admission admission; /* zero if it did not come to that */
    bool is_begun; /* ahead: it is replayed, or denied, and the constructor must know: */
    struct handover handover;
};

/*
 * Begins the replay of a filled request: in a process of its own, in a thread, or, where both would
 * do harm, all of it before this returns. Begins telemetry, too. Leaves no descriptor open and no
 * signal blocked, prints nothing but what the options ask for, and keeps the request in place for
 * as long as the process lives. Not to be called twice.
 */
struct start_result start_begin(struct request *request);

/* The other way: takes over what has been begun ahead of this process. */
void start_take_over(const struct request *request);

/* Whether the profile names any program but the request's; false if there is no profile. */
bool start_concerns_others(struct request *request);

/* For the end of a program that was faster than its replay. */
void start_end_unfinished(void);
