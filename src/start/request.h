/*
 * request.h: what a start is, decided once: by the constructor, the auditor, coldboost run (the
 * front and the tool) and coldboost-wrapper, all in the same way.
 */
#pragma once

#include "replay/load.h"
#include "start/handover.h"
#include "start/lambda.h"
#include "start/options.h"
#include "start/store.h"

#define REQUEST_PATH_BYTES 4096

/*
 * Zero-initialise, set the fields above the blank line, then request_fill(). Too large for a stack,
 * which may be tiny. Texts point into the block, or stand where the caller has them.
 */
struct request {
    char *const *envp;
    struct options options; /* by options_read(); after COLDBOOST=off there is no request */
    const char *profile;    /* its path, if it is known; NULL: request_fill() looks for one */
    const char *executable; /* what is started; may be a guess in its own process */
    /* The true path, at a price, in the process that runs the executable. NULL: this one does not,
     * it will become the program by exec. */
    const char *(*find_executable)(void);
    const char *label; /* in the line on stderr instead of the role; NULL: the role */
    bool ahead;        /* before the program's exec, which no thread outlives, or as an auditor */
    bool is_touched;   /* the files have been read here: what is in memory says nothing */

    enum role role;
    enum init_type init_type;
    enum policy policy;
    enum replay_mode mode; /* as asked for, unless that is seen to change the program */
    bool asks_for_few;     /* itself, where they are few: nobody wants a replay in another way */
    bool leaves_memory;    /* to the replay, if that is a process: see replay/plan.h */
    unsigned workers, most_workers;
    uint64_t granted_bytes; /* memory, by Lambda; 0: unknown */
    bool is_begun;          /* ahead of this process */
    struct handover begun;  /* that, or what has been begun ahead of one that this comes from */
    uint64_t started_ns;    /* CLOCK_MONOTONIC; 0: now */
    /* Behind the small fields, so that those stand in one page: each that is touched is a fault. */
    enum store_answer store; /* where no profile has been named or found elsewhere */
    struct store_entry entry;
    struct loaded_profile loaded;
    char path[REQUEST_PATH_BYTES]; /* of the profile, if it was looked for */
};

/* Opens nothing and writes nothing, but may read links and look at the parent's environment. */
void request_fill(struct request *request);

/*
 * The one search for a profile: the named one (NULL: none is), COLDBOOST_PROFILE,
 * $LAMBDA_TASK_ROOT/coldboost.cbp, /opt/coldboost/profile.cbp. Of the last two never one that
 * anybody may write, and only if it is there. NULL if there is none.
 */
const char *find_profile_path(const char *named, const struct options *options, char *const *envp,
                              char buffer[REQUEST_PATH_BYTES]);

/*
 * Looks for the start in the store, which is COLDBOOST_STORE or, by_default, the user's, and
 * otherwise a layer's; fills out `store` and `entry`, and the profile where there is one, also if
 * this start is to be recorded. Texts as for store_name().
 */
void request_look_into_store(struct request *request, const char *executable, const char *script,
                             char *const *arguments, bool by_default);
