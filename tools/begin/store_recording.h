/*
 * store_recording.h: begins to record the start that this process is about to become, where its
 * store wants that. Without libc, because the front has none.
 */
#pragma once

#include "start/program.h"
#include "start/request.h"

/* What the program needs for it, if store_recording_begin() says so. */
struct store_recording {
    char recorder[PROGRAM_PATH_BYTES]; /* in front of what LD_PRELOAD has */
    char trace[STORE_PATH_BYTES + STORE_NAME_BYTES + sizeof STORE_TRACE]; /* COLDBOOST_TRACE */
};

/* Looks for the start in the user's store: request_look_into_store(). */
void store_recording_look(struct request *request, const struct program *program,
                          char *const *command);

/*
 * Begins to record a start which has been looked for, if the store wants it, or `now`. Returns
 * whether the program is to be recorded, unless another start of the same is. Where files had to be
 * looked at, or an earlier start had left its trace, the request then says what the store has now.
 * called: as what this process was executed; tool: the name of coldboost-tool beside it, or a path.
 */
bool store_recording_begin(struct store_recording *recording, const char *called, const char *tool,
                           struct request *request, const struct program *program,
                           char *const *command, bool now);
