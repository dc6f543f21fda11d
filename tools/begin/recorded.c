/*
 * recorded.c: a start that is being watched needs no replay, not even a blind one.
 */
#include "begin/recorded.h"

#include "replay/profile.h"
#include "start/telemetry.h"

void recorded_mark(const char *executable, char id[HANDOVER_BYTES])
{
    const struct handover handover = {
        .started_ns = !executable,
        .start = COLDBOOST_START_COLD,
        .arm = ARM_BOOSTED,
        .executable_hash = executable ? profile_hash(executable) : 0,
    };
    handover_write(&handover, id);
}
