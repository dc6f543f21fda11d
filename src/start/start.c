/*
 * start.c: the decisions of a start, one after the other: named? admitted? in memory already?
 * where?
 *
 * Runs in the constructor, in the auditor, and before exec: no libc, nothing left open.
 */
#include "start/start.h"

#include "base/sys.h"
#include "replay/warm.h"
#include "start/adopter.h"
#include "start/environment.h"
#include "start/outcome.h"

/* A start that takes longer than this has other troubles than cold files. */
#define DEADLINE_NS 10000000000u
/* So long a program may have to wait for a replay that runs before it. */
#define BEFOREHAND_NS 1000000000u
/* To ask for so few ranges takes less than a process does: to make it, and to copy each page that
 * both have and the program writes. Unless the store is slow. */
#define FEW_RANGES 200
#define FEW_BYTES  (8u << 20)
#define FEW_NS     5000000u

static int load_page(struct request *request)
{
    if (!request->profile)
        return -ENOENT;
    return request->loaded.bytes ? 0 : profile_load_page(request->profile, &request->loaded);
}

/* The path of the executable under which the profile may have a section for it, or NULL. */
static const char *find_named(const struct request *request)
{
    const struct loaded_profile *loaded = &request->loaded;
    const char *path = request->executable;
    if (request->find_executable && !profile_peek_row(loaded->bytes, loaded->size, path))
        path = request->find_executable();
    return profile_peek(loaded->bytes, loaded->size, path) ? path : NULL;
}

static void include_in_telemetry(const struct request *request, enum replay_mode mode,
                                 const struct admission *admission)
{
    telemetry_include(request->loaded.header.crc32, admission->arm, admission->start,
                      admission->granted ? outcome_method(request, mode) : METHOD_NONE);
}

/* Whether this start may be replayed, for a profile that names the executable. */
static bool may_replay(const struct request *request, const char *executable,
                       struct admission *admission)
{
    *admission = admit(executable, request->role, request->policy, request->options.holdout);
    environment_set_start(admission->start);
    include_in_telemetry(request, request->mode, admission);
    if (!admission->granted)
        telemetry_write_start(
            &(struct telemetry_replay){.start = (uint8_t)admission->start, .plan = PLAN_PROFILE});
    return admission->granted;
}

/* Whether a process that this one comes from has just begun a replay which reads for this one, too,
 * or found all of it in memory. */
static bool is_covered(const struct request *request, const char *executable)
{
    const struct handover *begun = &request->begun;
    const struct loaded_profile *loaded = &request->loaded;
    return request->options.enabled != SWITCH_FORCE && begun->arm == ARM_BOOSTED &&
           begun->start != COLDBOOST_START_RESTART &&
           sys_monotonic_ns() - begun->started_ns < DEADLINE_NS &&
           profile_peek_part(loaded->bytes, loaded->size, begun->executable_hash, executable);
}

/* Whether the files are in memory; *range_count: how many ranges the profile has, where known. */
static enum residency look(const struct request *request, const char *executable,
                           uint32_t *range_count)
{
    const struct loaded_profile *loaded = &request->loaded;
    struct profile profile;
    if (request->options.enabled == SWITCH_FORCE)
        return NOT_RESIDENT;
    const struct profile_executable *row =
        profile_peek_row(loaded->bytes, loaded->size, executable);
    if (!row || !profile_view(loaded->bytes, loaded->size, &profile))
        return RESIDENCY_UNKNOWN;
    *range_count = row->range_count;
    if (request->is_touched)
        return NOT_RESIDENT;
    bool is_program = request->find_executable;
    return warm_look(&profile, row, executable, !is_program);
}

/*
 * Where the replay runs: what was asked for, if it can do no harm there. preload/README.md has this
 * as a table. Only a process leaves the program as it is, but it needs somebody to reap it; and a
 * thread would not outlive exec.
 */
static enum replay_mode choose_place(const struct request *request)
{
    if (!CB_HAVE_RAW_THREAD || request->policy == POLICY_SNAPSHOT || request->mode == MODE_SYNC)
        return MODE_SYNC;
    if (request->mode == MODE_THREAD && !request->ahead)
        return MODE_THREAD;
    return adopter_reaps() ? MODE_PROCESS : MODE_SYNC;
}

static bool is_to_be_timed(const struct request *request)
{
    return request->options.enabled != SWITCH_FORCE && request->store == STORE_REPLAY &&
           store_is_timed(&request->entry);
}

static bool may_ask_for_few(const struct request *request, uint32_t range_count)
{
    return request->asks_for_few && range_count > 0 && range_count <= FEW_RANGES &&
           !is_to_be_timed(request);
}

/* The program itself asks, and waits for no page. STATE_BUDGET: there is more to read than that; as
 * with STATE_NONE, nothing has been said. */
static enum replay_state ask_for_few(struct request *request, const char *executable,
                                     const struct admission *admission, uint64_t since_ns)
{
    const struct replay_plan plan = {
        .profile = &request->loaded,
        .executable = executable,
        .mode = MODE_SYNC,
        .workers = 1,
        .most_workers = 1,
        .budget_bytes = FEW_BYTES,
        .deadline_ns = sys_monotonic_ns() + FEW_NS,
        .only_asks = true,
        .counts_storage = telemetry_is_on(),
        .result = outcome_expect(request, MODE_SYNC, 1, admission->start, since_ns),
    };
    enum replay_state state = replay_here(&plan);
    if (plan.result->counters.left_alone)
        state = STATE_BUDGET;
    if (state == STATE_BUDGET || state == STATE_NONE)
        return state;
    store_note(&request->entry, STORE_BOOSTED);
    include_in_telemetry(request, MODE_SYNC, admission);
    outcome_say(state);
    profile_unload(&request->loaded);
    return state;
}

/* The start whose time the store is to know. */
static struct request *timed;

static void note_time(void)
{
    store_note_time(&timed->entry, sys_monotonic_ns() - timed->started_ns);
}

static int replay(struct request *request, const char *executable, struct admission *admission)
{
    uint64_t since_ns = sys_monotonic_ns();
    uint32_t range_count = 0;
    enum residency residency = RESIDENT;
    enum replay_state asked = STATE_NONE;
    if (!is_covered(request, executable)) {
        int error = profile_load_rest(&request->loaded, request->mode == MODE_THREAD);
        if (error)
            return error;
        residency = look(request, executable, &range_count);
        if (residency == NOT_RESIDENT && may_ask_for_few(request, range_count))
            asked = ask_for_few(request, executable, admission, since_ns);
        if (asked != STATE_NONE && asked != STATE_BUDGET)
            return 0;
    }
    enum replay_mode mode = residency == RESIDENT ? request->mode : choose_place(request);
    struct replay_result *result =
        outcome_expect(request, mode, request->workers, admission->start, since_ns);
    result->ranges_total = range_count;
    timed = mode == MODE_PROCESS && is_to_be_timed(request) ? request : NULL;
    if (timed && !request->started_ns)
        request->started_ns = since_ns;
    store_note(&request->entry, residency == RESIDENT ? STORE_WARM : STORE_BOOSTED);
    if (residency == RESIDENT) {
        profile_unload(&request->loaded);
        outcome_say(STATE_SKIPPED);
        if (admission->start == COLDBOOST_START_COLD)
            admission->start = COLDBOOST_START_WARM;
        return 0;
    }
    include_in_telemetry(request, mode, admission);
    bool waits = mode == MODE_SYNC && request->policy != POLICY_SNAPSHOT;
    const struct replay_plan plan = {
        .profile = &request->loaded,
        .executable = executable,
        .mode = mode,
        .workers = request->workers,
        .most_workers = request->most_workers,
        .budget_bytes = request->options.budget_bytes,
        .granted_bytes = request->granted_bytes,
        .deadline_ns = since_ns + (waits ? BEFOREHAND_NS : DEADLINE_NS),
        .looks = residency == RESIDENCY_UNKNOWN,
        .is_checked = asked == STATE_BUDGET,
        .keeps_stderr = request->options.verbose || telemetry_needs_stderr(),
        .counts_storage = telemetry_is_on(),
        .leaves_memory = request->leaves_memory,
        .result = result,
        .ended = outcome_say,
        .program_ended = timed ? note_time : NULL,
    };
    int error = replay_start(&plan);
    if (error || replay_has_copy(&plan))
        outcome_forget();
    return error;
}

struct start_result start_begin(struct request *request)
{
    struct start_result result = {.outcome = START_NOT_NAMED};
    telemetry_begin(request);
    if (request->policy == POLICY_NOTHING && !request->ahead)
        return result;
    result.error = load_page(request);
    const char *executable = result.error ? NULL : find_named(request);
    if (executable && may_replay(request, executable, &result.admission)) {
        result.error = replay(request, executable, &result.admission);
        result.outcome = START_REPLAYED;
    } else {
        profile_unload(&request->loaded);
        result.outcome = executable ? START_DENIED : START_NOT_NAMED;
    }
    store_close(&request->entry);
    if (result.error)
        result.outcome = START_FAILED;
    result.is_begun = request->ahead && executable && !result.error;
    if (result.is_begun)
        result.handover = (struct handover){request->started_ns, result.admission.start,
                                            result.admission.arm, profile_hash(executable)};
    return result;
}

void start_take_over(const struct request *request)
{
    const struct handover *begun = &request->begun;
    telemetry_begin(request);
    if (begun->start > 0 && begun->start <= COLDBOOST_START_RESTART)
        environment_set_start((enum coldboost_start)begun->start);
    telemetry_include(0, (enum telemetry_arm)begun->arm, (unsigned)begun->start, METHOD_RUN);
}

bool start_concerns_others(struct request *request)
{
    const struct loaded_profile *loaded = &request->loaded;
    bool others = load_page(request) == 0 &&
                  profile_peek_others(loaded->bytes, loaded->size, request->find_executable());
    if (request->is_begun)
        profile_unload(&request->loaded); /* nobody else wants it */
    return others;
}

void start_end_unfinished(void)
{
    outcome_say(STATE_UNFINISHED);
}
