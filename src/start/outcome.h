/*
 * outcome.h: what a replay has come to, said once: as a line on stderr, and as a telemetry record.
 *
 * Whoever ends the replay says it: the leader, in whatever process or thread; the thread that sees
 * the program end first; or the end of the program itself.
 */
#pragma once

#include "start/request.h"
#include "start/telemetry.h"

/* How telemetry names a replay's place. */
enum telemetry_method outcome_method(const struct request *request, enum replay_mode mode);

/*
 * Something is to be said of this replay, if anybody asks for it. Returns where the replay counts
 * what it has done; that stays in place, as a program that ends first looks at it too.
 */
struct replay_result *outcome_expect(const struct request *request, enum replay_mode mode,
                                     unsigned workers, enum coldboost_start start,
                                     uint64_t since_ns);

/* Nothing is to be said here: another process will, or there is no replay. */
void outcome_forget(void);

/* For struct replay_plan. */
bool outcome_say(enum replay_state state);
