/*
 * early.h: the start of a replay for a program that does not run yet.
 *
 * For coldboost run, coldboost-wrapper and the auditor. Works without libc: no output, no errno,
 * nothing allocated, nothing left open.
 */
#ifndef CB_EARLY_H
#define CB_EARLY_H

#include "start/admission.h"
#include "start/options.h"

/*
 * Begins the replay for the program that this process is about to be; where a process of its own
 * would do harm, all of it happens here. Returns as replay_start() does. After a 1 or 2 the
 * constructor wants the handover.
 * The label stands in the report instead of the role, unless it is NULL. find_executable as in
 * struct replay_request.
 */
int early_start(const char *profile, const char *executable, const char *(*find_executable)(void),
                const char *label, const struct options *options, char *const *envp,
                char handover[HANDOVER_BYTES]);

#endif
