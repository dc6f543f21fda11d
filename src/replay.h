/*
 * replay.h: brings the recorded working set of a program into the page cache, beside the program.
 */
#ifndef CB_REPLAY_H
#define CB_REPLAY_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_request {
    const char *profile;    /* path of the profile */
    const char *executable; /* path of the program, as /proc/self/exe names it */
    const char *role;       /* for the report */
    enum option_mode mode;
    unsigned workers;       /* 0: the default */
    uint64_t budget_bytes;  /* 0: by memory size */
    uint64_t granted_bytes; /* memory that the process may use, for that; 0: unknown */
    bool force;             /* replay even if the files are in memory */
    bool report;            /* one line to stderr at the end */
};

/*
 * Finds the profile's section for the executable and starts to replay it: in a thread, in a process
 * of its own, or before returning, as the mode says. Copies what it needs of the request. Returns
 *   1        a replay has been started (in MODE_SYNC: is over)
 *   0        the profile does not name the executable
 *   -errno   there is no profile, it is not one, or no memory or thread could be had
 * Leaves no descriptor open, blocks no signal beyond the call. Not to be called twice at a time.
 */
int replay_start(const struct replay_request *request);

/*
 * Whether the process that MODE_FORK leaves behind would become this process's own child, for its
 * wait() to see: it is process 1 or a subreaper. MODE_THREAD is then used instead.
 */
bool replay_would_be_adopted(void);

/*
 * Prints the report if one was asked for and the replay has not come to it: for the end of a
 * program that was faster than its replay.
 */
void replay_report_unfinished(void);

#endif
