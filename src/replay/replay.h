/*
 * replay.h: brings the recorded working set of a program into the page cache, as a plan says.
 *
 * Decides nothing about the start: whether it is replayed, where and with which budgets has been
 * decided before and stands in the plan. What becomes of it stands in the result.
 */
#pragma once

#include "replay/plan.h"

/*
 * Reads what the plan says: before it returns in MODE_SYNC, otherwise beside the caller. Copies the
 * plan; profile, result and ended() must stay in place, unless the replay has a copy. Unloads the
 * profile: in MODE_THREAD when the replay is over, and not where the caller leaves its memory.
 * Returns 0, or -errno if no memory or thread could be had: ended() is then not called. Opens
 * nothing in the caller, but in MODE_SYNC closes all of it; blocks no signal beyond the call. Not
 * to be called twice at a time.
 */
int replay_start(const struct replay_plan *plan);

/*
 * Reads what the plan says, whose mode is MODE_SYNC, before it returns, but does not call ended()
 * and leaves the profile loaded. STATE_NONE: no memory could be had.
 */
enum replay_state replay_here(const struct replay_plan *plan);

/* Whether what the caller has in memory is not the replay's: a process of its own has copied it. */
bool replay_has_copy(const struct replay_plan *plan);
