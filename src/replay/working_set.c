/*
 * working_set.c: which reads bring a section of a profile into the page cache, and in which order.
 *
 * Threads claim runs of ranges until none is left or a budget is used up. A run is a few look-ups,
 * or pages of one or more files: for each file one open() and readahead in chunks over merged
 * ranges, in the end one byte of the last page to wait for all of them.
 *
 * This runs inside other people's programs. It must never read a file through a mapping (a
 * truncated file must be a short read, not SIGBUS), nor open anything but regular files and
 * directories: no FIFO, no device, no symbolic link.
 */
#include "replay/working_set.h"

#include "base/sys.h"
#include "base/text.h"
#include "replay/budget.h"
#include "replay/residency.h"

/* readahead() reads at most the device's read-ahead window or its largest request, whichever is
 * larger, and forgets the rest of the call; the default window is this. */
#define CHUNK_BYTES (128u << 10)
/* Within so many pages, look-ups come first, then pages file by file. */
#define WINDOW_PAGES 512
/* A run is cut here: what the program asks for itself waits behind the runs that are on their way,
 * one a worker. */
#define RUN_PAGES 32
/* Look-ups that a worker claims at once. */
#define LOOKUP_RUN 8
/*
 * Where most runs of one new chunk take longer, the store fetches whole chunks on their first
 * touch, as Lambda's may: there the wait is for the chunk, and many can be waited for at once. All
 * workers together wait half as long for a disk that is kept busy. What takes no time was in memory
 * and says nothing.
 */
#define SLOW_RUN_NS       5000000u
#define MEMORY_RUN_NS     100000u
#define SLOW_RUNS         6
#define STORE_CHUNK_PAGES 128
/* Pages that the warm check looks at, spread over the section. */
#define WARM_SAMPLES 16

static bool may_hang(const struct working_set *set, const struct profile_file *file)
{
    const char *path = set->profile.strings + file->path;
    return set->mounts && mounts_may_hang(set->mounts, path, set->executable);
}

static int open_recorded_file(const struct working_set *set, const struct profile_file *file)
{
    struct sys_status status = {.size = 0};
    mode_t type = file->kind == PROFILE_FILE_DIRECTORY ? S_IFDIR : S_IFREG;
    if (may_hang(set, file)) {
        __atomic_add_fetch(&set->counters->left_alone, 1, __ATOMIC_RELAXED);
        return -ESTALE;
    }
    int fd = sys_open_type(set->profile.strings + file->path, type, &status);
    if (fd >= 0 && !profile_file_fits(file, status.size)) {
        sys_close(fd);
        fd = -ESTALE;
    }
    return fd;
}

static const struct profile_range *section_range(const struct working_set *set, uint32_t index)
{
    return &set->profile.ranges[set->section->first_range + index];
}

bool working_set_is_resident(const struct working_set *set)
{
    uint32_t count = set->section->range_count;
    uint32_t samples = count < WARM_SAMPLES ? count : WARM_SAMPLES;
    uint32_t seen = 0;
    for (uint32_t i = samples; i-- > 0;) {
        uint32_t at = (uint32_t)((uint64_t)i * count / samples);
        while (at < count && section_range(set, at)->page_count == 0)
            at++;
        if (at == count)
            continue;
        const struct profile_range *range = section_range(set, at);
        const struct profile_file *file = &set->profile.files[range->file];
        int fd = open_recorded_file(set, file);
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

/* Reads what it lists; the entries are then in memory for the program's own look-ups. 0 or -errno.
 */
static long list_directory(int fd)
{
    uint64_t buffer[512];
    long n;
    while ((n = sys_getdents(fd, buffer, sizeof buffer)) > 0) {
    }
    return n;
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
static long await_page(int fd, uint64_t page)
{
    char byte;
    return sys_pread(fd, &byte, 1, page * PROFILE_PAGE_BYTES);
}

/* How much of `wanted` may be asked for at once: whole pages within the budgets, or 0. */
static size_t claim_bytes(struct working_set *set, uint64_t wanted)
{
    uint64_t asked = __atomic_load_n(&set->counters->bytes, __ATOMIC_RELAXED), bytes;
    if (working_set_budget_hits(set))
        return 0;
    do {
        uint64_t left = asked < set->budget_bytes ? set->budget_bytes - asked : 0;
        bytes = wanted < CHUNK_BYTES ? wanted : CHUNK_BYTES;
        if (bytes > left)
            bytes = left - left % PROFILE_PAGE_BYTES;
    } while (bytes && !__atomic_compare_exchange_n(&set->counters->bytes, &asked, asked + bytes,
                                                   false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (!bytes)
        __atomic_store_n(&set->is_spent, true, __ATOMIC_RELAXED);
    return (size_t)bytes;
}

/* Returns the page up to which it has asked: a budget may end before page_end. */
static uint64_t page_in(struct working_set *set, int fd, uint64_t page, uint64_t page_end)
{
    uint64_t offset = page * PROFILE_PAGE_BYTES, end = page_end * PROFILE_PAGE_BYTES;
    size_t bytes;
    while (offset < end && (bytes = claim_bytes(set, end - offset)) > 0) {
        if (sys_readahead(fd, offset, bytes) < 0)
            read_through(fd, offset, offset + bytes);
        offset += bytes;
        if (offset < end && !set->only_asks)
            await_page(fd, offset / PROFILE_PAGE_BYTES - 1);
    }
    return offset / PROFILE_PAGE_BYTES;
}

unsigned working_set_budget_hits(const struct working_set *set)
{
    bool bytes = __atomic_load_n(&set->is_spent, __ATOMIC_RELAXED) ||
                 __atomic_load_n(&set->counters->bytes, __ATOMIC_RELAXED) >= set->budget_bytes;
    bool time = sys_monotonic_ns() >= set->deadline_ns;
    return (bytes ? BUDGET_BYTES : 0u) | (time ? BUDGET_TIME : 0u);
}

static bool stands_before(const uint32_t *ranks, const struct profile_range *a,
                          const struct profile_range *b)
{
    if (!a->page_count != !b->page_count)
        return !a->page_count;
    return a->file != b->file ? ranks[a->file] < ranks[b->file] : a->first_page < b->first_page;
}

/* Shell's sort: in place, no recursion, quick for a window. */
static void sort_ranges(const uint32_t *ranks, struct profile_range *ranges, size_t count)
{
    for (size_t step = count / 2; step > 0; step /= 2) {
        for (size_t i = step; i < count; i++) {
            struct profile_range range = ranges[i];
            size_t to = i;
            for (; to >= step && stands_before(ranks, &range, &ranges[to - step]); to -= step)
                ranges[to] = ranges[to - step];
            ranges[to] = range;
        }
    }
}

void working_set_sort(struct working_set *set, uint32_t *ranks, struct profile_range *ranges)
{
    ranges += set->section->first_range;
    uint32_t count = set->section->range_count;
    for (uint32_t first = 0, end; first < count; first = end) {
        uint64_t pages = 0;
        for (end = first; end < count && pages < WINDOW_PAGES; end++) {
            uint32_t *rank = &ranks[ranges[end].file];
            if (*rank <= first) /* of an earlier window, or none */
                *rank = end + 1;
            pages += ranges[end].page_count ? ranges[end].page_count : 1;
        }
        sort_ranges(ranks, ranges + first, end - first);
    }
}

/* Where the run ends that starts with this range: look-ups, or pages. */
static uint32_t run_end(const struct working_set *set, uint32_t first)
{
    uint32_t count = set->section->range_count, end = first;
    uint64_t pages = 0;
    for (; end < count && pages < RUN_PAGES; end++) {
        const struct profile_range *range = section_range(set, end);
        if (!range->page_count != !section_range(set, first)->page_count)
            break;
        pages += range->page_count ? range->page_count : RUN_PAGES / LOOKUP_RUN;
    }
    return end;
}

/* Claims the next run: ranges [*first, result). Returns *first when none is left. */
static uint32_t claim_run(struct working_set *set, uint32_t *first)
{
    *first = __atomic_load_n(&set->next_range, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t end = run_end(set, *first);
        if (__atomic_compare_exchange_n(&set->next_range, first, end, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return end;
    }
}

static void count_stale(const struct working_set *set)
{
    __atomic_add_fetch(&set->counters->stale_files, 1, __ATOMIC_RELAXED);
}

static void look_up(const struct working_set *set, const struct profile_file *file)
{
    if (file->kind != PROFILE_FILE_DIRECTORY) {
        if (!may_hang(set, file))
            sys_look_up(set->profile.strings + file->path);
        return;
    }
    int fd = open_recorded_file(set, file);
    if (fd < 0 || list_directory(fd) < 0)
        count_stale(set);
    if (fd >= 0)
        sys_close(fd);
}

/* Asks for ranges of one file, and waits for the last if it is told to. */
static void page_in_file(struct working_set *set, uint32_t first, uint32_t end, bool waits)
{
    int fd = open_recorded_file(set, &set->profile.files[section_range(set, first)->file]);
    if (fd < 0) {
        count_stale(set);
        return;
    }
    uint64_t asked_end = 0;
    while (first < end) {
        uint64_t page = section_range(set, first)->first_page;
        uint64_t page_end = page + section_range(set, first)->page_count;
        for (first++; first < end; first++) {
            const struct profile_range *next = section_range(set, first);
            if (next->first_page < page || next->first_page > page_end + MERGE_GAP_PAGES)
                break;
            uint64_t next_end = (uint64_t)next->first_page + next->page_count;
            page_end = next_end > page_end ? next_end : page_end;
        }
        uint64_t reached = page_in(set, fd, page, page_end);
        asked_end = reached > page ? reached : asked_end;
    }
    if (waits && asked_end > 0 && await_page(fd, asked_end - 1) < 0)
        count_stale(set);
    sys_close(fd);
}

static void page_in_run(struct working_set *set, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint32_t next = first;
        while (next < end && section_range(set, next)->file == section_range(set, first)->file)
            next++;
        page_in_file(set, first, next, next == end && !set->only_asks);
        first = next;
    }
}

static bool is_same_chunk(const struct profile_range *a, const struct profile_range *b)
{
    return a->file == b->file && a->page_count && b->page_count &&
           (a->first_page + a->page_count - 1) / STORE_CHUNK_PAGES ==
               b->first_page / STORE_CHUNK_PAGES;
}

/* Whether the run stays in one chunk, and the one before it was not in that. */
static bool is_new_chunk(const struct working_set *set, uint32_t first, uint32_t end)
{
    bool is_new =
        !first || !is_same_chunk(section_range(set, first - 1), section_range(set, first));
    for (uint32_t i = first + 1; i < end && is_new; i++)
        is_new = is_same_chunk(section_range(set, i - 1), section_range(set, i));
    return is_new;
}

static void note_time(struct working_set *set, uint64_t begun_ns)
{
    uint64_t ns = sys_monotonic_ns() - begun_ns;
    if (ns >= MEMORY_RUN_NS)
        __atomic_add_fetch(&set->runs, 1, __ATOMIC_RELAXED);
    if (ns >= SLOW_RUN_NS)
        __atomic_add_fetch(&set->slow_runs, 1, __ATOMIC_RELAXED);
}

/* Touches one page of each chunk that the range has a part of, the first that is needed. */
static void touch_chunks(struct working_set *set, const struct profile_range *range)
{
    int fd = open_recorded_file(set, &set->profile.files[range->file]);
    if (fd < 0)
        return;
    sys_advise(fd, 0, POSIX_FADV_RANDOM);
    uint64_t end = (uint64_t)range->first_page + range->page_count;
    for (uint64_t page = range->first_page; page < end && !working_set_budget_hits(set);
         page = (page / STORE_CHUNK_PAGES + 1) * STORE_CHUNK_PAGES) {
        uint64_t begun_ns = sys_monotonic_ns();
        if (file_page_is_resident(fd, page * PROFILE_PAGE_BYTES))
            continue;
        await_page(fd, page);
        note_time(set, begun_ns);
    }
    sys_close(fd);
}

/* Claims the next ranges that have their first page in one chunk; NULL when none is left. */
static const struct profile_range *claim_chunk(struct working_set *set)
{
    uint32_t first = __atomic_load_n(&set->next_chunk, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t reached = __atomic_load_n(&set->next_range, __ATOMIC_RELAXED);
        uint32_t start = first > reached ? first : reached, end = start;
        if (start >= set->section->range_count)
            return NULL;
        const struct profile_range *range = section_range(set, start);
        do
            end++;
        while (end < set->section->range_count && is_same_chunk(range, section_range(set, end)));
        if (__atomic_compare_exchange_n(&set->next_chunk, &first, end, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return range;
    }
}

bool working_set_is_slow(const struct working_set *set)
{
    uint32_t slow = __atomic_load_n(&set->slow_runs, __ATOMIC_RELAXED);
    return slow >= SLOW_RUNS && slow > __atomic_load_n(&set->runs, __ATOMIC_RELAXED) * 2 / 3;
}

bool working_set_read_run(struct working_set *set)
{
    uint32_t first, end;
    if (working_set_budget_hits(set) || (end = claim_run(set, &first)) == first)
        return false;
    uint64_t begun_ns = sys_monotonic_ns();
    if (section_range(set, first)->page_count) {
        page_in_run(set, first, end);
        if (is_new_chunk(set, first, end))
            note_time(set, begun_ns);
    } else if (!set->only_asks) {
        for (uint32_t i = first; i < end; i++)
            look_up(set, &set->profile.files[section_range(set, i)->file]);
    }
    __atomic_add_fetch(&set->counters->ranges, end - first, __ATOMIC_RELAXED);
    return true;
}

bool working_set_touch_chunk(struct working_set *set)
{
    const struct profile_range *range;
    if (working_set_budget_hits(set) || !(range = claim_chunk(set)))
        return false;
    if (range->page_count)
        touch_chunks(set, range);
    else
        look_up(set, &set->profile.files[range->file]);
    return true;
}
