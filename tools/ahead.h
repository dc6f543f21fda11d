/*
 * ahead.h: a replay that begins ahead of exec, for coldboost run and coldboost-wrapper.
 *
 * Without libc, because the wrapper has none: no output, no errno, nothing allocated or left open.
 */
#ifndef CB_AHEAD_H
#define CB_AHEAD_H

#include "options.h"

#include <stdbool.h>

#define AHEAD_PATH_BYTES 4096
#define AHEAD_ID_BYTES   80

/*
 * What /proc/self/exe will name once `path` has been executed: symbolic links and "#!" lines are
 * followed. false if there is no such file or /proc is not mounted; `executable` is then undefined.
 */
bool ahead_find_executable(const char *path, char executable[AHEAD_PATH_BYTES]);

/*
 * Begins the replay for the program that this process is about to become. Returns as
 * replay_start() does, or -ECHILD where the program would find the replay among its children; the
 * constructor then does all of it. After a 1 or 2 the program wants COLDBOOST_STARTED, set to `id`
 * (see admission.h). The label stands in the report instead of the role, unless it is NULL.
 */
int ahead_start(const char *profile, const char *executable, const char *label,
                const struct options *options, char *const *envp, char id[AHEAD_ID_BYTES]);

#endif
