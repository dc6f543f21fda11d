/*
 * replay.c: when a working set is read, and by whom.
 *
 * The leader reads and validates the profile, looks whether the files are in memory already, and if
 * not reads them together with its workers. It is a process of its own, a thread of the program, or
 * the program itself: see choose_mode().
 *
 * This runs inside other people's programs. It must never
 *   - touch the program's descriptors: the thread has a table of its own, empty from the start;
 *   - touch the program's memory, beyond one mapping of its own and the counters below;
 *   - run libc code, take a signal, or outlive its budgets;
 *   - outlive the program: what it has open, and mapped, keeps a file system busy.
 */
#include "replay/replay.h"

#include "base/line.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/budget.h"
#include "replay/last_thread.h"
#include "replay/mounts.h"
#include "replay/profile.h"
#include "replay/warm.h"
#include "replay/working_set.h"
#include "start/adopter.h"
#include "start/environment.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

#define PATH_BYTES      4096
#define STACK_BYTES     (32u << 10)
#define DEFAULT_WORKERS 8
#define MAX_WORKERS     16
#define PEEK_BYTES      4096
/* A start that takes longer than this has other troubles than cold files. */
#define DEADLINE_NS 10000000000u
/* So long a program may have to wait for a replay that runs before it. */
#define BEFOREHAND_NS 1000000000u
/* How often to look whether the program still runs, where the kernel does not tell. */
#define LOOK_NS 10000000

struct replay {
    size_t mapped_bytes; /* of this struct, the stacks and the profile behind it */
    size_t profile_capacity;
    enum option_mode mode;
    bool looks, keep_stderr; /* the first: whether the files are in memory */
    unsigned workers, started_workers, most_workers;
    uint64_t granted_bytes;
    long program_id; /* in MODE_PROCESS: the process that must not be outlived */
    struct working_set set;
    struct mounts mounts;
    int thread_ids[MAX_WORKERS + 1]; /* the leader has none; the last is the watcher's */
    char profile_path[PATH_BYTES];
    char executable[PATH_BYTES];
};

enum { REPORT_NONE, REPORT_DUE, REPORT_BEING_MADE };

/* What the report says. Not in the mapping: a program that ends first reads it too. */
static struct {
    uint32_t report; /* whoever takes it from DUE to BEING_MADE makes it */
    bool verbose, telemetry;
    const char *role, *mode;
    uint8_t start, method, workers;
    uint32_t ranges_total;
    uint64_t storage_bytes, started_ns;
    struct working_set_counters counters;
} progress;

/* Of the bytes asked for, those that were not read from storage. Kernels that do not account for
 * reads say 0: then nobody knows. */
static uint64_t resident_bytes(uint64_t asked)
{
    uint64_t read = __atomic_load_n(&progress.storage_bytes, __ATOMIC_RELAXED);
    struct sys_status status;
    if (asked && !read && sys_stat(AT_FDCWD, "/proc/self/io", &status) != 0)
        return TELEMETRY_UNKNOWN64;
    return asked > read ? asked - read : 0;
}

static void record_telemetry(enum telemetry_state state, unsigned budget_hits)
{
    if (!progress.telemetry)
        return;
    uint64_t asked = __atomic_load_n(&progress.counters.bytes, __ATOMIC_RELAXED);
    telemetry_write_start(&(struct telemetry_replay){
        .started_ns = progress.started_ns,
        .bytes_asked = asked,
        .bytes_resident = resident_bytes(asked),
        .ranges = __atomic_load_n(&progress.counters.ranges, __ATOMIC_RELAXED),
        .ranges_total = progress.ranges_total,
        .stale_files = __atomic_load_n(&progress.counters.stale_files, __ATOMIC_RELAXED),
        .start = progress.start,
        .plan = PLAN_PROFILE,
        .method = progress.method,
        .state = (uint8_t)state,
        .budget_hits = (uint8_t)budget_hits,
        .workers = progress.workers,
    });
}

static void want_report(void)
{
    bool due = progress.verbose || progress.telemetry;
    __atomic_store_n(&progress.report, due ? REPORT_DUE : REPORT_NONE, __ATOMIC_RELEASE);
}

static void print_report(enum telemetry_state state)
{
    struct report line = {.length = 0};
    report_text(&line, "coldboost: role=");
    report_text(&line, progress.role);
    report_text(&line, " start=");
    report_text(&line, telemetry_start_name(progress.start));
    report_text(&line, " plan=profile mode=");
    report_text(&line, progress.mode);
    report_number(&line, " ranges=", __atomic_load_n(&progress.counters.ranges, __ATOMIC_RELAXED));
    report_number(&line, "/", progress.ranges_total);
    report_number(&line, " bytes=", __atomic_load_n(&progress.counters.bytes, __ATOMIC_RELAXED));
    report_number(
        &line, " stale_files=", __atomic_load_n(&progress.counters.stale_files, __ATOMIC_RELAXED));
    report_number(&line, " us=", (sys_monotonic_ns() - progress.started_ns) / 1000);
    report_text(&line, " state=");
    report_text(&line, telemetry_state_name(state));
    report_text(&line, "\n");
    sys_write(2, line.text, line.length);
}

/* budget_hits: bits of enum telemetry_budget. */
static void make_report(enum telemetry_state state, unsigned budget_hits)
{
    uint32_t due = REPORT_DUE;
    if (!__atomic_compare_exchange_n(&progress.report, &due, REPORT_BEING_MADE, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return;
    record_telemetry(state, budget_hits);
    if (progress.verbose)
        print_report(state);
    __atomic_store_n(&progress.report, REPORT_NONE, __ATOMIC_RELEASE);
}

void replay_report_unfinished(void)
{
    make_report(STATE_UNFINISHED, 0);
    /* A thread that is making it would end with the program, half way. */
    for (int i = 0;
         i < 100 && __atomic_load_n(&progress.report, __ATOMIC_ACQUIRE) == REPORT_BEING_MADE; i++)
        sys_sleep_ns(LOOK_NS / 50);
}

/* What the calling thread has read from storage, in bytes; 0 if nobody asks. */
static uint64_t storage_bytes(void)
{
    struct rusage usage;
    if (!progress.telemetry)
        return 0;
    sys_usage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_inblock * 512;
}

static void count_storage_bytes(uint64_t before)
{
    __atomic_add_fetch(&progress.storage_bytes, storage_bytes() - before, __ATOMIC_RELAXED);
}

/* Reads the whole profile behind the stacks and settles on a section. */
static int load_profile(struct replay *replay, uint8_t *bytes)
{
    struct sys_status status;
    int fd = sys_open_type(replay->profile_path, S_IFREG, &status);
    if (fd < 0)
        return fd;
    size_t have = 0;
    long n = 1;
    while (have < replay->profile_capacity && n > 0) {
        n = sys_pread(fd, bytes + have, replay->profile_capacity - have, have);
        have += n > 0 ? (size_t)n : 0;
    }
    sys_close(fd);
    if (n < 0)
        return (int)n;
    int error = profile_parse(bytes, have, &replay->set.profile);
    if (error)
        return error;
    replay->set.section = profile_find(&replay->set.profile, replay->executable);
    return replay->set.section ? 0 : -ENOENT;
}

static uint8_t *stacks(struct replay *replay)
{
    return (uint8_t *)replay + ((sizeof *replay + 63) & ~(size_t)63);
}

static size_t stack_bytes(enum option_mode mode, unsigned most_workers)
{
    return (most_workers + (mode == MODE_PROCESS)) * STACK_BYTES;
}

static void start_scouts(struct replay *replay);

static void work(struct replay *replay)
{
    while (working_set_read_run(&replay->set))
        if (working_set_is_slow(&replay->set))
            start_scouts(replay);
}

#if CB_HAVE_RAW_THREAD
/* Untraced: a debugger would be told of it, and strace -f would print what it does. qemu-user takes
 * that flag for no thread. */
static long clone_thread(unsigned long more_flags, void *stack_top, int *id, void (*run)(void *),
                         struct replay *replay)
{
    unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                          CLONE_SYSVSEM | more_flags;
    long result = cb_clone(flags | CLONE_UNTRACED, stack_top, id, run, replay);
    return result == -EINVAL ? cb_clone(flags, stack_top, id, run, replay) : result;
}

static void run_worker(void *argument)
{
    work(argument);
    count_storage_bytes(0);
    sys_exit_thread();
}

static void run_scout(void *argument)
{
    struct replay *replay = argument;
    while (working_set_touch_chunk(&replay->set)) {
    }
    run_worker(replay);
}

/* A thread that shares everything with the leader. The kernel clears its id when it is gone. */
static void start_thread(struct replay *replay, unsigned i, void (*run)(void *))
{
    clone_thread(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, stacks(replay) + (i + 1) * STACK_BYTES,
                 &replay->thread_ids[i], run, replay);
}

static void start_worker(struct replay *replay, void (*run)(void *))
{
    unsigned i = __atomic_fetch_add(&replay->started_workers, 1, __ATOMIC_RELAXED);
    if (i < replay->most_workers)
        start_thread(replay, i, run);
}

static void start_workers(struct replay *replay)
{
    for (unsigned i = 1; i < replay->workers; i++)
        start_worker(replay, run_worker);
}

/* All that may be: where the wait is for the store, many can wait at once. */
static void start_scouts(struct replay *replay)
{
    while (__atomic_load_n(&replay->started_workers, __ATOMIC_RELAXED) < replay->most_workers)
        start_worker(replay, run_scout);
}

/* In the order of their start: one that is gone starts no other. */
static void join_workers(struct replay *replay)
{
    for (unsigned i = 1; i < replay->most_workers; i++) {
        int id;
        while ((id = __atomic_load_n(&replay->thread_ids[i], __ATOMIC_ACQUIRE)) != 0)
            sys_wait_while(&replay->thread_ids[i], id);
    }
}
#else
static void start_workers(struct replay *replay)
{
    (void)replay;
}

static void start_scouts(struct replay *replay)
{
    (void)replay;
}

static void join_workers(struct replay *replay)
{
    (void)replay;
}
#endif

/* The files are in memory already. */
static void skip(void)
{
    if (progress.start == COLDBOOST_START_COLD) {
        progress.start = COLDBOOST_START_WARM;
        environment_set_start(COLDBOOST_START_WARM);
    }
    make_report(STATE_SKIPPED, 0);
}

static void lead(struct replay *replay)
{
    struct working_set *set = &replay->set;
    uint8_t *bytes = stacks(replay) + stack_bytes(replay->mode, replay->most_workers);
    int error = load_profile(replay, bytes);
    if (error) {
        make_report(STATE_BAD_PROFILE, 0);
        return;
    }
    if (replay->mode == MODE_PROCESS) /* the program's folder may be unmounted or removed */
        sys_chdir("/");
    progress.ranges_total = set->section->range_count;
    if (replay->mode != MODE_PROCESS) {
        mounts_read(&replay->mounts);
        set->mounts = &replay->mounts;
        set->executable = replay->executable;
    }
    if (replay->looks && working_set_is_resident(set)) {
        skip();
        return;
    }
    if (set->budget_bytes == BUDGET_BY_MEMORY)
        set->budget_bytes = budget_by_memory(replay->granted_bytes);
    working_set_sort(set, (struct profile_file *)(uintptr_t)set->profile.files,
                     (struct profile_range *)(uintptr_t)set->profile.ranges);
    uint64_t before = storage_bytes();
    start_workers(replay);
    work(replay);
    join_workers(replay);
    count_storage_bytes(before);
    unsigned hits = working_set_budget_hits(set);
    make_report(hits ? STATE_BUDGET : STATE_DONE, hits);
}

#if CB_HAVE_RAW_THREAD
/*
 * An empty descriptor table of our own: what we open is never seen by the program, and what the
 * program has open is not kept open by us. close_range() does both at once without a copy in
 * between; before Linux 5.9 the copy is closed by hand, up to the first long gap.
 */
static bool leave_descriptor_table(bool keep_stderr)
{
    if (keep_stderr) {
        if (sys_close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0)
            return sys_close_range(0, 1, 0) == 0;
    } else if (sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE) == 0) {
        return true;
    }
    if (sys_unshare(CLONE_FILES) != 0)
        return false;
    for (int fd = 0, closed = 0; fd < closed + 1024; fd++)
        if ((fd != 2 || !keep_stderr) && sys_close(fd) == 0)
            closed = fd;
    return true;
}

/* Unless the other of leader and watcher is making the report: then that one ends the process. */
static _Noreturn void end_process(void)
{
    replay_report_unfinished();
    if (__atomic_load_n(&progress.report, __ATOMIC_ACQUIRE) == REPORT_BEING_MADE)
        sys_exit_thread();
    sys_exit(0);
}

/* Whether the kernel has told of the program's end. It wakes those who poll a pidfd (Linux 5.3)
 * before the program's parent hears of it. */
static bool await_end(long program_id)
{
    int fd = sys_pidfd_open(program_id);
    long n = 0;
    struct pollfd program = {.fd = fd, .events = POLLIN};
    while (fd >= 0 && (n = sys_poll(&program, NULL)) == -EINTR) {
    }
    return n == 1;
}

/* The thread that ends a replay in a process of its own as soon as the program has ended. */
static void run_watcher(void *argument)
{
    long program_id = ((const struct replay *)argument)->program_id;
    bool ended = await_end(program_id);
    while (!ended && sys_kill(program_id, 0) != -ESRCH)
        if (sys_sleep_ns(LOOK_NS) != 0)
            sys_exit_thread();
    end_process();
}

static void run_leader_thread(void *argument)
{
    struct replay *replay = argument;
    struct first_thread ended = {.exit_status = 0};
    if (leave_descriptor_table(replay->keep_stderr)) {
        sys_prctl(PR_SET_NAME, (unsigned long)"coldboost");
        if (replay->mode == MODE_PROCESS)
            start_thread(replay, replay->most_workers, run_watcher);
        lead(replay);
        if (replay->mode == MODE_THREAD)
            ended = first_thread_read();
    }
    if (replay->mode == MODE_PROCESS)
        end_process();
    if (ended.signal)
        sys_die_of(ended.signal);
    cb_unmap_and_exit_thread(replay, replay->mapped_bytes, ended.exit_status);
}

static void run_leader_process(void *argument)
{
    struct replay *replay = argument;
    /* The first child only starts the second, which thereby belongs to init, not to the program. */
    long id = cb_clone(0, stacks(replay) + STACK_BYTES, NULL, run_leader_thread, replay);
    sys_exit(id < 0);
}

static long start_leader(struct replay *replay)
{
    void *stack_top = stacks(replay) + STACK_BYTES;
    uint64_t all = ~(uint64_t)0, before;
    long id = sys_signal_mask(&all, &before);
    if (id < 0)
        return id; /* a replay that takes the program's signals would be worse than none */
    if (replay->mode == MODE_PROCESS) {
        /* No exit signal: the program gets no SIGCHLD, and only wait4(__WALL) would see the child.
         * A debugger would be told of a new thread by that, and gdb gives up: untraced. */
        id = cb_clone(CLONE_UNTRACED, stack_top, NULL, run_leader_process, replay);
        if (id > 0)
            sys_reap(id);
    } else {
        id = clone_thread(0, stack_top, NULL, run_leader_thread, replay);
    }
    sys_signal_mask(&before, NULL);
    return id;
}
#else
static long start_leader(struct replay *replay)
{
    (void)replay;
    return -ENOSYS;
}
#endif

/* The beginning of the profile. Not on the stack, which may be tiny. */
static struct {
    union {
        struct profile_header header;
        uint8_t bytes[PEEK_BYTES];
    };
    size_t size;
} peeked;

/* Whether the profile may have a section for the executable, from its beginning. */
static int peek(int profile, const struct sys_status *status, struct replay_request *request)
{
    long n = sys_pread(profile, peeked.bytes, sizeof peeked.bytes, 0);
    if (n < 0)
        return (int)n;
    if (status->size > PROFILE_MAX_BYTES)
        return -EMSGSIZE;
    peeked.size = (size_t)n;
    int named = profile_peek(peeked.bytes, (size_t)n, request->executable);
    if (named >= 0 && request->find_executable &&
        !profile_peek_row(peeked.bytes, (size_t)n, request->executable)) {
        request->executable = request->find_executable();
        named = profile_peek(peeked.bytes, (size_t)n, request->executable);
    }
    bool agrees = named < 0 || status->size == peeked.header.size + peeked.header.extra_bytes;
    return agrees ? named : -EMSGSIZE;
}

static struct replay *make(const struct replay_request *request, enum option_mode mode,
                           unsigned most_workers)
{
    size_t profile_bytes = (size_t)peeked.header.size; /* what stands behind it is not for us */
    size_t bytes = ((sizeof(struct replay) + 63) & ~(size_t)63) + stack_bytes(mode, most_workers) +
                   profile_bytes;
    /* A thread's memory stays while the program runs, which may be near its limit; two processes
     * must not share their stacks. */
    struct replay *replay = sys_map(bytes, mode == MODE_THREAD ? MAP_SHARED : MAP_PRIVATE);
    if (!replay)
        return NULL;
    replay->mapped_bytes = bytes;
    replay->profile_capacity = profile_bytes;
    replay->mode = mode;
    replay->keep_stderr = request->report || telemetry_needs_stderr();
    replay->started_workers = 1; /* the leader */
    replay->most_workers = most_workers;
    replay->granted_bytes = request->granted_bytes;
    replay->set.counters = &progress.counters;
    replay->set.budget_bytes = request->budget_bytes;
    bool waits = mode == MODE_SYNC && request->policy != POLICY_SNAPSHOT;
    replay->set.deadline_ns = sys_monotonic_ns() + (waits ? BEFOREHAND_NS : DEADLINE_NS);
    replay->program_id = sys_getpid();
    text_append(replay->profile_path, PATH_BYTES, 0, request->profile);
    text_append(replay->executable, PATH_BYTES, 0, request->executable);
    return replay;
}

static int launch(struct replay *replay)
{
    /* A thread unmaps the replay when it is done, perhaps before this returns: only copies from
     * here. */
    size_t bytes = replay->mapped_bytes;
    bool separate_memory = replay->mode == MODE_PROCESS;
    long id = start_leader(replay);
    if (id < 0 || separate_memory) {
        __atomic_store_n(&progress.report, REPORT_NONE, __ATOMIC_RELEASE); /* a child has a copy */
        sys_unmap(replay, bytes);
    }
    return id < 0 ? (int)id : 1;
}

/*
 * Where the replay runs: what was asked for, if it can do no harm there. preload/README.md has this
 * as a table. Only a process leaves the program as it is, but it needs somebody to reap it; and a
 * thread would not outlive exec.
 */
static enum option_mode choose_mode(const struct replay_request *request)
{
    if (!CB_HAVE_RAW_THREAD || request->policy == POLICY_SNAPSHOT || request->mode == MODE_SYNC)
        return MODE_SYNC;
    if (request->mode == MODE_THREAD && !request->ahead)
        return MODE_THREAD;
    return adopter_reaps() ? MODE_PROCESS : MODE_SYNC;
}

static unsigned choose_workers(const struct replay_request *request)
{
    if (request->workers)
        return request->workers < MAX_WORKERS ? request->workers : MAX_WORKERS;
    return request->policy == POLICY_GENTLE ? 1 : DEFAULT_WORKERS;
}

static void settle_mode(const struct replay_request *request, enum option_mode mode,
                        const struct admission *admission)
{
    static const struct {
        char name[8];
        uint8_t method;
    } modes[] = {[MODE_PROCESS] = {"process", METHOD_PROCESS},
                 [MODE_THREAD] = {"thread", METHOD_THREAD},
                 [MODE_SYNC] = {"sync", METHOD_SYNC}};
    progress.mode = modes[mode].name;
    progress.method = request->ahead ? METHOD_RUN : modes[mode].method;
    telemetry_include(peeked.header.crc32, admission->arm, admission->start,
                      admission->granted ? progress.method : METHOD_NONE);
}

/* Whether this start may be replayed, for a profile that names the executable. */
static bool may_replay(const struct replay_request *request, struct admission *admission)
{
    *admission = admit(request->executable, request->role, request->policy, request->holdout);
    environment_set_start(admission->start);
    settle_mode(request, request->mode, admission);
    if (!admission->granted)
        telemetry_write_start(
            &(struct telemetry_replay){.start = (uint8_t)admission->start, .plan = PLAN_PROFILE});
    return admission->granted;
}

/* Whether all is in memory, and the start thereby over. */
static enum residency look(int profile, const struct replay_request *request,
                           struct admission *admission)
{
    progress.role = request->label ? request->label : role_name(request->role);
    progress.verbose = request->report;
    progress.telemetry = telemetry_is_on();
    progress.start = (uint8_t)admission->start;
    progress.workers = (uint8_t)choose_workers(request);
    progress.started_ns = sys_monotonic_ns();
    if (request->force)
        return NOT_RESIDENT;
    enum residency residency =
        warm_look(profile, peeked.bytes, peeked.size, request->executable, &progress.ranges_total);
    if (residency == RESIDENT) {
        want_report();
        skip();
        admission->start = (enum coldboost_start)progress.start;
    }
    return residency;
}

static int read_beside(const struct replay_request *request, enum option_mode mode, bool looks)
{
    bool is_fixed = request->workers || request->policy == POLICY_GENTLE;
    struct replay *replay = make(request, mode, is_fixed ? progress.workers : MAX_WORKERS);
    if (!replay)
        return -ENOMEM;
    replay->workers = progress.workers;
    replay->looks = looks;
    want_report();
    if (mode != MODE_SYNC)
        return launch(replay);
    lead(replay);
    sys_unmap(replay, replay->mapped_bytes);
    return 1;
}

int replay_start(struct replay_request *request, struct admission *admission)
{
    struct sys_status status;
    int profile = sys_open_type(request->profile, S_IFREG, &status);
    if (profile < 0)
        return profile;
    enum residency residency = RESIDENCY_UNKNOWN;
    int named = peek(profile, &status, request);
    bool granted = named > 0 && may_replay(request, admission);
    if (granted)
        residency = look(profile, request, admission);
    sys_close(profile);
    if (named <= 0 || !granted)
        return named <= 0 ? named : 2;
    if (residency == RESIDENT)
        return 1;
    enum option_mode mode = choose_mode(request);
    settle_mode(request, mode, admission);
    return read_beside(request, mode, residency == RESIDENCY_UNKNOWN);
}
