/*
 * replay.h: brings the recorded working set of a program into the page cache, beside the program.
 */
#ifndef CB_REPLAY_H
#define CB_REPLAY_H

#include "start/admission.h"
#include "start/environment.h"
#include "start/options.h"
#include "start/telemetry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_request {
    const char *profile;                  /* path of the profile */
    const char *executable;               /* may be a guess at what /proc/self/exe names */
    const char *(*find_executable)(void); /* the true path, at a price; NULL if it is no guess */
    const char *label;                    /* in the report instead of the role; NULL: the role */
    enum role role;
    enum policy policy; /* what the role and the init type allow; may change mode and workers */
    bool ahead;         /* before the program's exec, which no thread outlives */
    uint32_t holdout;   /* per cent of starts that are not to be replayed */
    enum option_mode mode;
    unsigned workers;       /* 0: the default */
    uint64_t budget_bytes;  /* BUDGET_BY_MEMORY if none is set */
    uint64_t granted_bytes; /* memory that the process may use, for that; 0: unknown */
    bool force;             /* replay even if the files are in memory */
    bool report;            /* one line to stderr at the end */
};

/*
 * Finds the profile's section for the executable and starts to replay it: in a process of its own,
 * in a thread, or before returning, as the mode says and the circumstances allow. Copies what it
 * needs of the request. *admission says what was decided, where the profile names the executable.
 * Returns 2       this start is not to be replayed: holdout, or a restart 1       a replay has been
 * started, or is over: in MODE_SYNC, or if all was in memory 0       the profile does not name the
 * executable -errno  there is no profile, it is not one, or no memory or thread could be had Leaves
 * no descriptor open, blocks no signal beyond the call. Not to be called twice at a time.
 */
int replay_start(struct replay_request *request, struct admission *admission);

/*
 * Makes the report and the telemetry record, where asked for, if the replay has not come to it: for
 * the end of a program that was faster than its replay.
 */
void replay_report_unfinished(void);

#endif
