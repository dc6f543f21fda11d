/*
 * outcome.c: from the counters of a replay to its line and its telemetry record. Runs in whichever
 * thread or process has ended the replay: no libc, no lock, and nothing that waits for long.
 */
#include "start/outcome.h"

#include "base/line.h"
#include "base/sys.h"
#include "start/environment.h"

#define PAUSE_NS   200000
#define MOST_WAITS 100

enum { NOTHING_DUE, DUE, BEING_SAID };

static struct {
    uint32_t due; /* whoever takes it from DUE to BEING_SAID says it */
    bool verbose;
    const char *role, *mode;
    uint8_t start, method, workers;
    uint64_t since_ns;
    struct replay_result result;
} outcome;

static const uint8_t methods[] = {
    [MODE_PROCESS] = METHOD_PROCESS, [MODE_THREAD] = METHOD_THREAD, [MODE_SYNC] = METHOD_SYNC};

enum telemetry_method outcome_method(const struct request *request, enum replay_mode mode)
{
    return request->ahead ? METHOD_RUN : (enum telemetry_method)methods[mode];
}

static void set_due(uint32_t due)
{
    __atomic_store_n(&outcome.due, due, __ATOMIC_RELEASE);
}

struct replay_result *outcome_expect(const struct request *request, enum replay_mode mode,
                                     unsigned workers, enum coldboost_start start,
                                     uint64_t since_ns)
{
    outcome.verbose = request->options.verbose;
    outcome.role = request->label ? request->label : role_name(request->role);
    outcome.mode = telemetry_method_name(methods[mode]);
    outcome.start = (uint8_t)start;
    outcome.method = (uint8_t)outcome_method(request, mode);
    outcome.workers = (uint8_t)workers;
    outcome.since_ns = since_ns;
    outcome.result = (struct replay_result){.ranges_total = 0};
    set_due(outcome.verbose || telemetry_is_on() ? DUE : NOTHING_DUE);
    return &outcome.result;
}

void outcome_forget(void)
{
    set_due(NOTHING_DUE);
}

/* Of the bytes asked for, those that were not read from storage. Kernels that do not account for
 * reads say 0: then nobody knows. */
static uint64_t resident_bytes(uint64_t asked)
{
    uint64_t read = __atomic_load_n(&outcome.result.storage_bytes, __ATOMIC_RELAXED);
    struct sys_status status;
    if (asked && !read && sys_stat(AT_FDCWD, "/proc/self/io", &status) != 0)
        return TELEMETRY_UNKNOWN64;
    return asked > read ? asked - read : 0;
}

static void record_telemetry(enum replay_state state, const struct working_set_counters *done)
{
    if (!telemetry_is_on())
        return;
    telemetry_write_start(&(struct telemetry_replay){
        .started_ns = outcome.since_ns,
        .bytes_asked = done->bytes,
        .bytes_resident = resident_bytes(done->bytes),
        .ranges = done->ranges,
        .ranges_total = outcome.result.ranges_total,
        .stale_files = done->stale_files,
        .start = outcome.start,
        .plan = PLAN_PROFILE,
        .method = outcome.method,
        .state = (uint8_t)state,
        .budget_hits = (uint8_t)(state == STATE_BUDGET ? outcome.result.budget_hits : 0),
        .workers = outcome.workers,
    });
}

static void print_line(enum replay_state state, const struct working_set_counters *done)
{
    struct line line = {.length = 0};
    line_text(&line, "coldboost: role=");
    line_text(&line, outcome.role);
    line_text(&line, " start=");
    line_text(&line, telemetry_start_name(outcome.start));
    line_text(&line, " plan=profile mode=");
    line_text(&line, outcome.mode);
    line_number(&line, " ranges=", done->ranges);
    line_number(&line, "/", outcome.result.ranges_total);
    line_number(&line, " bytes=", done->bytes);
    line_number(&line, " stale_files=", done->stale_files);
    line_number(&line, " us=", (sys_monotonic_ns() - outcome.since_ns) / 1000);
    line_text(&line, " state=");
    line_text(&line, telemetry_state_name(state));
    line_text(&line, "\n");
    sys_write(2, line.text, line.length);
}

static struct working_set_counters count(void)
{
    struct working_set_counters *counters = &outcome.result.counters;
    return (struct working_set_counters){
        .ranges = __atomic_load_n(&counters->ranges, __ATOMIC_RELAXED),
        .stale_files = __atomic_load_n(&counters->stale_files, __ATOMIC_RELAXED),
        .bytes = __atomic_load_n(&counters->bytes, __ATOMIC_RELAXED),
    };
}

/* A thread that is saying it would end with the process, half way: so it is waited for a while. */
static bool is_said(void)
{
    for (int i = 0; i < MOST_WAITS; i++) {
        if (__atomic_load_n(&outcome.due, __ATOMIC_ACQUIRE) != BEING_SAID)
            return true;
        sys_sleep_ns(PAUSE_NS);
    }
    return false;
}

bool outcome_say(enum replay_state state)
{
    if (state == STATE_SKIPPED && outcome.start == COLDBOOST_START_COLD) {
        outcome.start = COLDBOOST_START_WARM;
        environment_set_start(COLDBOOST_START_WARM);
    }
    uint32_t due = DUE;
    if (!__atomic_compare_exchange_n(&outcome.due, &due, BEING_SAID, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return is_said();
    struct working_set_counters done = count();
    record_telemetry(state, &done);
    if (outcome.verbose)
        print_line(state, &done);
    set_due(NOTHING_DUE);
    return true;
}
