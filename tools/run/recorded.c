/*
 * recorded.c: a start that is being watched needs no replay, not even a blind one.
 */
#include "run/recorded.h"

#include "replay/profile.h"
#include "start/handover.h"
#include "start/telemetry.h"

#include <stdlib.h>

void recorded_mark(const struct program *program, bool is_begun)
{
    char id[HANDOVER_BYTES];
    struct handover handover = {
        .started_ns = !is_begun,
        .start = COLDBOOST_START_COLD,
        .arm = ARM_BOOSTED,
        .executable_hash = is_begun ? profile_hash(program->executable) : 0,
    };
    handover_write(&handover, id);
    setenv(HANDOVER_VARIABLE, id, 1);
}
