/*
 * replay.c: from a profile to page-ins.
 *
 * The leader reads and validates the profile, looks whether the files are in memory already, and if
 * not claims runs of ranges together with its workers until none is left or a budget is used up. A
 * run is a few look-ups, or one file's ranges that were first touched at about the same time: one
 * open(), then readahead in chunks over merged ranges, then one byte of the last page to wait for
 * them.
 *
 * This runs inside other people's programs. It must never
 *   - touch the program's descriptors: the thread has a table of its own, empty from the start;
 *   - touch the program's memory, beyond one mapping of its own and the counters below;
 *   - read a file through a mapping: a truncated file must be a short read, not SIGBUS;
 *   - open anything but regular files and directories: no FIFO, no device, no symbolic link;
 *   - run libc code, take a signal, or outlive its budgets.
 */
#include "replay.h"

#include "budget.h"
#include "environment.h"
#include "profile.h"
#include "report.h"
#include "residency.h"
#include "sys.h"
#include "text.h"

#include <sched.h>
#include <sys/prctl.h>

#define PATH_BYTES      4096
#define STACK_BYTES     (32u << 10)
#define DEFAULT_WORKERS 3
#define MAX_WORKERS     16
#define PEEK_BYTES      4096

/* readahead() reads at most the device's read-ahead window or its largest request, whichever is
 * larger, and forgets the rest of the call; the default window is this. */
#define CHUNK_BYTES (128u << 10)
/* A gap up to this is read along: cheaper than a request of its own. */
#define MERGE_GAP_PAGES 8
/* Within so many pages, look-ups come first and pages by file and offset instead of first touch. */
#define WINDOW_PAGES 512
/* A run is cut here: what the program asks for itself waits behind the runs that are on their way,
 * one a worker. */
#define RUN_PAGES 32
/* Look-ups that a worker claims at once. */
#define LOOKUP_RUN 8
/* A run that takes longer comes from a store that fetches whole chunks on their first touch, such
 * as Lambda's: there the wait is for the chunk, and many can be waited for at once. */
#define SLOW_RUN_NS       2000000u
#define SLOW_RUNS         3
#define STORE_CHUNK_PAGES 128
/* Pages that the warm check looks at, spread over the section. */
#define WARM_SAMPLES 16
/* A start that takes longer than this has other troubles than cold files. */
#define DEADLINE_NS 10000000000u

struct replay {
    size_t mapped_bytes; /* of this struct, the stacks and the profile behind it */
    size_t profile_capacity;
    enum option_mode mode;
    bool force, keep_stderr;
    unsigned workers, started_workers, most_workers;
    uint64_t budget_bytes, granted_bytes;
    uint64_t started_ns;
    struct profile profile;
    const struct profile_executable *section;
    uint32_t next_range; /* the first one that nobody has claimed */
    uint32_t next_chunk; /* the first range whose chunk no scout has touched */
    uint32_t runs, slow_runs;
    int worker_ids[MAX_WORKERS];
    char profile_path[PATH_BYTES];
    char executable[PATH_BYTES];
};

/* What the report says. Not in the mapping: a program that ends first reads it too. */
static struct {
    uint32_t wanted; /* 1: a report is due; whoever takes it to 0 makes it */
    bool verbose, telemetry;
    const char *role, *mode;
    uint8_t start, method, workers;
    uint32_t ranges, ranges_total, stale_files;
    uint64_t bytes, storage_bytes, started_ns;
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
    uint64_t asked = __atomic_load_n(&progress.bytes, __ATOMIC_RELAXED);
    telemetry_write_start(&(struct telemetry_replay){
        .started_ns = progress.started_ns,
        .bytes_asked = asked,
        .bytes_resident = resident_bytes(asked),
        .ranges = __atomic_load_n(&progress.ranges, __ATOMIC_RELAXED),
        .ranges_total = progress.ranges_total,
        .stale_files = __atomic_load_n(&progress.stale_files, __ATOMIC_RELAXED),
        .start = progress.start,
        .plan = PLAN_PROFILE,
        .method = progress.method,
        .state = (uint8_t)state,
        .budget_hits = (uint8_t)budget_hits,
        .workers = progress.workers,
    });
}

/* budget_hits: bits of enum telemetry_budget. */
static void make_report(enum telemetry_state state, unsigned budget_hits)
{
    if (!__atomic_exchange_n(&progress.wanted, 0, __ATOMIC_ACQ_REL))
        return;
    record_telemetry(state, budget_hits);
    if (!progress.verbose)
        return;
    struct report line = {.length = 0};
    report_text(&line, "coldboost: role=");
    report_text(&line, progress.role);
    report_text(&line, " start=");
    report_text(&line, telemetry_start_name(progress.start));
    report_text(&line, " plan=profile mode=");
    report_text(&line, progress.mode);
    report_number(&line, " ranges=", __atomic_load_n(&progress.ranges, __ATOMIC_RELAXED));
    report_number(&line, "/", progress.ranges_total);
    report_number(&line, " bytes=", __atomic_load_n(&progress.bytes, __ATOMIC_RELAXED));
    report_number(&line, " stale_files=", __atomic_load_n(&progress.stale_files, __ATOMIC_RELAXED));
    report_number(&line, " us=", (sys_monotonic_ns() - progress.started_ns) / 1000);
    report_text(&line, " state=");
    report_text(&line, telemetry_state_name(state));
    report_text(&line, "\n");
    sys_write(2, line.text, line.length);
}

void replay_report_unfinished(void)
{
    make_report(STATE_UNFINISHED, 0);
}

/* Opens a regular file or directory, whatever stands at the path now; -errno if it is neither. */
static int open_safely(const char *path, mode_t type, struct sys_status *status)
{
    int error = sys_stat(AT_FDCWD, path, status);
    if (error)
        return error;
    if ((status->mode & S_IFMT) != type)
        return -EINVAL;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    return sys_open(path, type == S_IFDIR ? flags | O_DIRECTORY : flags);
}

static bool is_recorded_file(int fd, const struct profile_file *file,
                             const struct sys_status *status)
{
    if (file->kind == PROFILE_FILE_DIRECTORY)
        return true;
    if (status->size != file->size)
        return false;
    int64_t mtime_ns = (int64_t)status->mtime_seconds * 1000000000 + status->mtime_nanoseconds;
    if (file->mtime_ns == 0 || file->mtime_ns == mtime_ns)
        return true;
    uint8_t build_id[PROFILE_BUILD_ID];
    long n = sys_pread(fd, build_id, file->build_id_bytes, file->build_id_offset);
    if (file->build_id_bytes == 0 || n != (long)file->build_id_bytes)
        return false;
    return bytes_equal(build_id, file->build_id, file->build_id_bytes);
}

static int open_recorded_file(const struct replay *replay, const struct profile_file *file)
{
    struct sys_status status;
    mode_t type = file->kind == PROFILE_FILE_DIRECTORY ? S_IFDIR : S_IFREG;
    int fd = open_safely(replay->profile.strings + file->path, type, &status);
    if (fd >= 0 && !is_recorded_file(fd, file, &status)) {
        sys_close(fd);
        fd = -ESTALE;
    }
    return fd;
}

static const struct profile_range *section_range(const struct replay *replay, uint32_t index)
{
    return &replay->profile.ranges[replay->section->first_range + index];
}

/*
 * Whether every sample is in the page cache. The last ranges first: what a start touches late is
 * the least likely to be in memory by accident.
 */
static bool files_are_resident(const struct replay *replay)
{
    uint32_t count = replay->section->range_count;
    uint32_t samples = count < WARM_SAMPLES ? count : WARM_SAMPLES;
    uint32_t seen = 0;
    for (uint32_t i = samples; i-- > 0;) {
        uint32_t at = (uint32_t)((uint64_t)i * count / samples);
        while (at < count && section_range(replay, at)->page_count == 0)
            at++;
        if (at == count)
            continue;
        const struct profile_range *range = section_range(replay, at);
        const struct profile_file *file = &replay->profile.files[range->file];
        int fd = open_recorded_file(replay, file);
        if (fd < 0)
            continue;
        bool resident = file_page_is_resident(fd, (uint64_t)range->first_page * PROFILE_PAGE_BYTES);
        sys_close(fd);
        if (!resident)
            return false;
        seen++;
    }
    return seen > 0;
}

/* Reads what it lists; the entries are then in memory for the program's own look-ups. */
static void list_directory(int fd)
{
    uint64_t buffer[512];
    while (sys_getdents(fd, buffer, sizeof buffer) > 0) {
    }
}

/* Reads by copying, where the file system does not do readahead. */
static void read_through(int fd, uint64_t offset, uint64_t end)
{
    char buffer[8192];
    while (offset < end) {
        long n = sys_pread(fd, buffer, end - offset < sizeof buffer ? end - offset : sizeof buffer,
                           offset);
        if (n <= 0)
            return;
        offset += (uint64_t)n;
    }
}

/* So that little is on its way at a time: a longer queue would make the program's own first reads
 * wait behind what it needs last. */
static void await_page(int fd, uint64_t page)
{
    char byte;
    sys_pread(fd, &byte, 1, page * PROFILE_PAGE_BYTES);
}

static void page_in(int fd, uint64_t first_page, uint64_t page_count)
{
    uint64_t offset = first_page * PROFILE_PAGE_BYTES;
    uint64_t end = offset + page_count * PROFILE_PAGE_BYTES;
    while (offset < end) {
        size_t bytes = end - offset < CHUNK_BYTES ? (size_t)(end - offset) : CHUNK_BYTES;
        if (sys_readahead(fd, offset, bytes) < 0) {
            read_through(fd, offset, end);
            return;
        }
        offset += bytes;
        if (offset < end)
            await_page(fd, offset / PROFILE_PAGE_BYTES - 1);
    }
}

/* 0, or which budgets are used up: bits of enum telemetry_budget. */
static unsigned budget_hits(const struct replay *replay)
{
    bool bytes = __atomic_load_n(&progress.bytes, __ATOMIC_RELAXED) >= replay->budget_bytes;
    bool time = sys_monotonic_ns() - replay->started_ns >= DEADLINE_NS;
    return (bytes ? BUDGET_BYTES : 0u) | (time ? BUDGET_TIME : 0u);
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

static bool stands_before(const struct profile_range *a, const struct profile_range *b)
{
    if (!a->page_count != !b->page_count)
        return !a->page_count;
    return a->file != b->file ? a->file < b->file : a->first_page < b->first_page;
}

/* Shell's sort: in place, no recursion, quick for a window. */
static void sort_ranges(struct profile_range *ranges, size_t count)
{
    for (size_t step = count / 2; step > 0; step /= 2) {
        for (size_t i = step; i < count; i++) {
            struct profile_range range = ranges[i];
            size_t to = i;
            for (; to >= step && stands_before(&range, &ranges[to - step]); to -= step)
                ranges[to] = ranges[to - step];
            ranges[to] = range;
        }
    }
}

/*
 * Storage serves neighbours in one request, and a program that waits for a directory or an inode
 * waits behind all the pages that were asked for before: so a window's look-ups go first, and its
 * pages in the order of the files. The bytes are the replay's own copy of the profile.
 */
static void sort_windows(struct replay *replay, uint8_t *bytes)
{
    const struct profile_range *section = section_range(replay, 0);
    size_t offset = (size_t)((const uint8_t *)section - (const uint8_t *)replay->profile.header);
    struct profile_range *ranges = (struct profile_range *)(void *)(bytes + offset);
    uint32_t count = replay->section->range_count;
    for (uint32_t first = 0, end; first < count; first = end) {
        uint64_t pages = 0;
        for (end = first; end < count && pages < WINDOW_PAGES; end++)
            pages += ranges[end].page_count ? ranges[end].page_count : 1;
        sort_ranges(ranges + first, end - first);
    }
}

/* Where the run ends that starts with this range: look-ups of any paths, or pages of one file. */
static uint32_t run_end(const struct replay *replay, uint32_t first)
{
    uint32_t count = replay->section->range_count, end = first;
    uint64_t pages = 0;
    for (; end < count && pages < RUN_PAGES; end++) {
        const struct profile_range *range = section_range(replay, end);
        if (!range->page_count != !section_range(replay, first)->page_count ||
            (range->page_count && range->file != section_range(replay, first)->file))
            break;
        pages += range->page_count ? range->page_count : RUN_PAGES / LOOKUP_RUN;
    }
    return end;
}

/* Claims the next run: ranges [*first, result). Returns *first when none is left. */
static uint32_t claim_run(struct replay *replay, uint32_t *first)
{
    *first = __atomic_load_n(&replay->next_range, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t end = run_end(replay, *first);
        if (__atomic_compare_exchange_n(&replay->next_range, first, end, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return end;
    }
}

static void look_up(const struct replay *replay, const struct profile_file *file)
{
    if (file->kind != PROFILE_FILE_DIRECTORY) {
        sys_look_up(replay->profile.strings + file->path);
        return;
    }
    int fd = open_recorded_file(replay, file);
    if (fd < 0) {
        __atomic_add_fetch(&progress.stale_files, 1, __ATOMIC_RELAXED);
        return;
    }
    list_directory(fd);
    sys_close(fd);
}

static void page_in_run(struct replay *replay, uint32_t first, uint32_t end)
{
    const struct profile_file *file = &replay->profile.files[section_range(replay, first)->file];
    int fd = open_recorded_file(replay, file);
    if (fd < 0) {
        __atomic_add_fetch(&progress.stale_files, 1, __ATOMIC_RELAXED);
        return;
    }
    uint64_t last_page = 0;
    while (first < end) {
        uint64_t page = section_range(replay, first)->first_page;
        uint64_t page_end = page + section_range(replay, first)->page_count;
        for (first++; first < end; first++) {
            const struct profile_range *next = section_range(replay, first);
            if (next->first_page < page || next->first_page > page_end + MERGE_GAP_PAGES)
                break;
            uint64_t next_end = (uint64_t)next->first_page + next->page_count;
            page_end = next_end > page_end ? next_end : page_end;
        }
        __atomic_add_fetch(&progress.bytes, (page_end - page) * PROFILE_PAGE_BYTES,
                           __ATOMIC_RELAXED);
        page_in(fd, page, page_end - page);
        last_page = page_end - 1;
    }
    await_page(fd, last_page);
    sys_close(fd);
}

static bool is_same_chunk(const struct profile_range *a, const struct profile_range *b)
{
    return a->file == b->file && a->page_count && b->page_count &&
           (a->first_page + a->page_count - 1) / STORE_CHUNK_PAGES ==
               b->first_page / STORE_CHUNK_PAGES;
}

/* Touches one page of each chunk that the range has a part of, the first that is needed. */
static void touch_chunks(struct replay *replay, const struct profile_range *range)
{
    int fd = open_recorded_file(replay, &replay->profile.files[range->file]);
    if (fd < 0)
        return;
    sys_expect_random_reads(fd);
    uint64_t end = (uint64_t)range->first_page + range->page_count;
    for (uint64_t page = range->first_page; page < end && !budget_hits(replay);
         page = (page / STORE_CHUNK_PAGES + 1) * STORE_CHUNK_PAGES)
        await_page(fd, page);
    sys_close(fd);
}

/* Claims the next ranges that have their first page in one chunk; NULL when none is left. */
static const struct profile_range *claim_chunk(struct replay *replay)
{
    uint32_t first = __atomic_load_n(&replay->next_chunk, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t reached = __atomic_load_n(&replay->next_range, __ATOMIC_RELAXED);
        uint32_t start = first > reached ? first : reached, end = start;
        if (start >= replay->section->range_count)
            return NULL;
        const struct profile_range *range = section_range(replay, start);
        do
            end++;
        while (end < replay->section->range_count &&
               is_same_chunk(range, section_range(replay, end)));
        if (__atomic_compare_exchange_n(&replay->next_chunk, &first, end, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return range;
    }
}

/* Goes ahead of the workers, so that the chunks which they will need are on their way. */
static void scout(struct replay *replay)
{
    const struct profile_range *range;
    while (!budget_hits(replay) && (range = claim_chunk(replay))) {
        if (range->page_count)
            touch_chunks(replay, range);
        else
            look_up(replay, &replay->profile.files[range->file]);
    }
}

static void start_scout_if_slow(struct replay *replay, uint64_t begun_ns);

static void work(struct replay *replay)
{
    uint32_t first, end;
    while (!budget_hits(replay) && (end = claim_run(replay, &first)) > first) {
        uint64_t begun_ns = sys_monotonic_ns();
        if (section_range(replay, first)->page_count) {
            page_in_run(replay, first, end);
            start_scout_if_slow(replay, begun_ns);
        } else {
            for (uint32_t i = first; i < end; i++)
                look_up(replay, &replay->profile.files[section_range(replay, i)->file]);
        }
        __atomic_add_fetch(&progress.ranges, end - first, __ATOMIC_RELAXED);
    }
}

/* Reads the whole profile behind the stacks and settles on a section. */
static int load_profile(struct replay *replay, uint8_t *bytes)
{
    struct sys_status status;
    int fd = open_safely(replay->profile_path, S_IFREG, &status);
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
    int error = profile_parse(bytes, have, &replay->profile);
    if (error)
        return error;
    replay->section = profile_find(&replay->profile, replay->executable);
    return replay->section ? 0 : -ENOENT;
}

static uint8_t *stacks(struct replay *replay)
{
    return (uint8_t *)replay + ((sizeof *replay + 63) & ~(size_t)63);
}

#if CB_HAVE_RAW_THREAD
static void run_worker(void *argument)
{
    work(argument);
    count_storage_bytes(0);
    cb_syscall6(SYS_exit, 0, 0, 0, 0, 0, 0);
}

static void run_scout(void *argument)
{
    scout(argument);
    run_worker(argument);
}

/* A thread that shares everything with the leader. The kernel clears its id when it is gone. */
static void start_worker(struct replay *replay, void (*run)(void *))
{
    unsigned i = __atomic_fetch_add(&replay->started_workers, 1, __ATOMIC_RELAXED);
    if (i >= replay->most_workers)
        return;
    cb_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
             stacks(replay) + (i + 1) * STACK_BYTES, &replay->worker_ids[i], run, replay);
}

static void start_workers(struct replay *replay)
{
    replay->started_workers = 1; /* the leader */
    for (unsigned i = 1; i < replay->workers; i++)
        start_worker(replay, run_worker);
}

/* The store is slow if most runs have been; a disk has an odd one too. */
static void start_scout_if_slow(struct replay *replay, uint64_t begun_ns)
{
    uint32_t runs = __atomic_add_fetch(&replay->runs, 1, __ATOMIC_RELAXED);
    if (sys_monotonic_ns() - begun_ns < SLOW_RUN_NS)
        return;
    uint32_t slow = __atomic_add_fetch(&replay->slow_runs, 1, __ATOMIC_RELAXED);
    while (slow >= SLOW_RUNS && slow > runs / 2 &&
           __atomic_load_n(&replay->started_workers, __ATOMIC_RELAXED) < replay->most_workers)
        start_worker(replay, run_scout);
}

/* In the order of their start: one that is gone starts no other. */
static void join_workers(struct replay *replay)
{
    for (unsigned i = 1; i < replay->most_workers; i++) {
        int id;
        while ((id = __atomic_load_n(&replay->worker_ids[i], __ATOMIC_ACQUIRE)) != 0)
            sys_wait_while(&replay->worker_ids[i], id);
    }
}
#else
static void start_workers(struct replay *replay)
{
    (void)replay;
}

static void start_scout_if_slow(struct replay *replay, uint64_t begun_ns)
{
    (void)replay;
    (void)begun_ns;
}

static void join_workers(struct replay *replay)
{
    (void)replay;
}
#endif

static void lead(struct replay *replay)
{
    uint8_t *bytes = stacks(replay) + replay->most_workers * STACK_BYTES;
    int error = load_profile(replay, bytes);
    if (error) {
        make_report(STATE_BAD_PROFILE, 0);
        return;
    }
    progress.ranges_total = replay->section->range_count;
    if (!replay->force && files_are_resident(replay)) {
        if (progress.start == COLDBOOST_START_COLD) {
            progress.start = COLDBOOST_START_WARM;
            environment_set_start(COLDBOOST_START_WARM);
        }
        make_report(STATE_SKIPPED, 0);
        return;
    }
    if (!replay->budget_bytes)
        replay->budget_bytes = budget_by_memory(replay->granted_bytes);
    sort_windows(replay, bytes);
    uint64_t before = storage_bytes();
    start_workers(replay);
    work(replay);
    join_workers(replay);
    count_storage_bytes(before);
    unsigned hits = budget_hits(replay);
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
    if (cb_syscall6(SYS_unshare, CLONE_FILES, 0, 0, 0, 0, 0) != 0)
        return false;
    for (int fd = 0, closed = 0; fd < closed + 1024; fd++)
        if ((fd != 2 || !keep_stderr) && cb_syscall6(SYS_close, fd, 0, 0, 0, 0, 0) == 0)
            closed = fd;
    return true;
}

static void run_leader_thread(void *argument)
{
    struct replay *replay = argument;
    if (leave_descriptor_table(replay->keep_stderr)) {
        cb_syscall6(SYS_prctl, PR_SET_NAME, (long)"coldboost", 0, 0, 0, 0);
        lead(replay);
    }
    cb_unmap_and_exit_thread(replay, replay->mapped_bytes);
}

static void run_leader_process(void *argument)
{
    struct replay *replay = argument;
    /* The first child only starts the second, which thereby belongs to init, not to the program. */
    long id = cb_clone(0, stacks(replay) + STACK_BYTES, NULL, run_leader_thread, replay);
    cb_syscall6(SYS_exit_group, id < 0, 0, 0, 0, 0, 0);
}

static long start_leader(struct replay *replay)
{
    void *stack_top = stacks(replay) + STACK_BYTES;
    uint64_t all = ~(uint64_t)0, before;
    long id = sys_signal_mask(&all, &before);
    if (id < 0)
        return id; /* a replay that takes the program's signals would be worse than none */
    if (replay->mode == MODE_FORK) {
        /* No exit signal: the program gets no SIGCHLD, and only wait4(__WALL) would see the child.
         * A debugger would be told of a new thread by that, and gdb gives up: untraced. */
        id = cb_clone(CLONE_UNTRACED, stack_top, NULL, run_leader_process, replay);
        if (id > 0)
            cb_syscall6(SYS_wait4, id, 0, 0x40000000 /* __WALL */, 0, 0, 0);
    } else {
        id = cb_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                          CLONE_SYSVSEM,
                      stack_top, NULL, run_leader_thread, replay);
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

/* Whether the profile may have a section for the executable, from its first page. */
static int peek(const struct replay_request *request, size_t *profile_bytes, uint32_t *profile_id)
{
    static uint64_t page[PEEK_BYTES / sizeof(uint64_t)]; /* stacks may be tiny */
    struct sys_status status;
    int fd = open_safely(request->profile, S_IFREG, &status);
    if (fd < 0)
        return fd;
    long n = sys_pread(fd, page, sizeof page, 0);
    sys_close(fd);
    if (n < 0)
        return (int)n;
    *profile_bytes = (size_t)status.size;
    *profile_id = ((const struct profile_header *)page)->crc32;
    return status.size > PROFILE_MAX_BYTES
               ? -EMSGSIZE
               : profile_peek((const uint8_t *)page, (size_t)n, request->executable);
}

bool replay_would_be_adopted(void)
{
    int is_subreaper = 0;
    cb_syscall6(SYS_prctl, PR_GET_CHILD_SUBREAPER, (long)&is_subreaper, 0, 0, 0, 0);
    return is_subreaper || sys_getpid() == 1;
}

int replay_start(const struct replay_request *request, struct admission *admission)
{
    size_t profile_bytes = 0;
    uint32_t profile_id = 0;
    int named = peek(request, &profile_bytes, &profile_id);
    if (named <= 0)
        return named;
    enum option_mode mode = CB_HAVE_RAW_THREAD ? request->mode : MODE_SYNC;
    if (request->policy == POLICY_SNAPSHOT)
        mode = MODE_SYNC;
    if (mode == MODE_FORK && replay_would_be_adopted())
        mode = MODE_THREAD;
    static const uint8_t methods[] = {METHOD_THREAD, METHOD_FORK, METHOD_SYNC};
    uint8_t method = request->ahead ? METHOD_RUN : methods[mode];
    *admission = admit(request->executable, request->role, request->policy, request->holdout);
    environment_set_start(admission->start);
    telemetry_include(profile_id, admission->arm, admission->start,
                      admission->granted ? method : METHOD_NONE);
    if (!admission->granted) {
        telemetry_write_start(
            &(struct telemetry_replay){.start = (uint8_t)admission->start, .plan = PLAN_PROFILE});
        return 2;
    }
    unsigned workers = request->workers                   ? request->workers
                       : request->policy == POLICY_GENTLE ? 1
                                                          : DEFAULT_WORKERS;
    if (workers > MAX_WORKERS)
        workers = MAX_WORKERS;
    bool is_fixed = request->workers || request->policy == POLICY_GENTLE;
    unsigned most_workers = is_fixed ? workers : MAX_WORKERS;
    size_t bytes =
        ((sizeof(struct replay) + 63) & ~(size_t)63) + most_workers * STACK_BYTES + profile_bytes;
    long memory = sys_map(bytes);
    if (memory < 0 && memory > -4096)
        return (int)memory;
    struct replay *replay = (struct replay *)memory;
    replay->mapped_bytes = bytes;
    replay->profile_capacity = profile_bytes;
    replay->mode = mode;
    replay->force = request->force;
    replay->keep_stderr = request->report || telemetry_needs_stderr();
    replay->workers = workers;
    replay->most_workers = most_workers;
    replay->budget_bytes = request->budget_bytes;
    replay->granted_bytes = request->granted_bytes;
    replay->started_ns = sys_monotonic_ns();
    text_append(replay->profile_path, PATH_BYTES, 0, request->profile);
    text_append(replay->executable, PATH_BYTES, 0, request->executable);
    static const char mode_names[][8] = {"thread", "fork", "sync"};
    progress.role = request->label ? request->label : role_name(request->role);
    progress.mode = mode_names[replay->mode];
    progress.verbose = request->report;
    progress.telemetry = telemetry_is_on();
    progress.start = (uint8_t)admission->start;
    progress.method = method;
    progress.workers = (uint8_t)workers;
    progress.started_ns = replay->started_ns;
    __atomic_store_n(&progress.wanted, progress.verbose || progress.telemetry, __ATOMIC_RELEASE);

    if (replay->mode == MODE_SYNC) {
        lead(replay);
        sys_unmap(replay, bytes);
        return 1;
    }
    /* A thread unmaps the replay when it is done, perhaps before this line: only copies from here.
     */
    bool separate_memory = replay->mode == MODE_FORK;
    long id = start_leader(replay);
    if (id < 0 || separate_memory) {
        __atomic_store_n(&progress.wanted, 0, __ATOMIC_RELEASE); /* a child has a copy */
        sys_unmap(replay, bytes);
    }
    return id < 0 ? (int)id : 1;
}
