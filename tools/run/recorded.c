/*
 * recorded.c: a start that is being recorded needs no replay, not even a blind one.
 */
#include "run/recorded.h"

#include "replay/profile.h"
#include "start/handover.h"
#include "start/telemetry.h"

#include <stdlib.h>

void recorded_mark(const struct program *program)
{
    char id[HANDOVER_BYTES];
    struct handover handover = {
        .start = COLDBOOST_START_COLD,
        .arm = ARM_BOOSTED,
        .executable_hash = profile_hash(program->executable),
    };
    handover_write(&handover, id);
    setenv(HANDOVER_VARIABLE, id, 1);
}
