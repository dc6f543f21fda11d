#include "base/sys.h"

/* How much later it is each time somebody asks; 0: as late as it is. */
static uint64_t clock_step_ns;

static uint64_t read_clock(void)
{
    static uint64_t now;
    return clock_step_ns ? now += clock_step_ns : sys_monotonic_ns();
}

#define sys_monotonic_ns read_clock
#include "replay/working_set.c"
#undef sys_monotonic_ns

#include "replay/budget.h"
#include "replay/profile.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files of our own in the working folder, and a profile that was never bytes. */
enum { FILES = 48, FILE_PAGES = 24, NAME_BYTES = 32, RANGES = 2 * FILES };
static char strings[(FILES + 2) * NAME_BYTES];
static struct profile_file files[FILES + 2];
static struct profile_range ranges[RANGES + 2];
static struct profile_executable section;
static struct working_set_counters counters;
static struct working_set set;

static char *name_of(uint32_t file)
{
    return strings + (size_t)file * NAME_BYTES;
}

static void make_file(uint32_t index)
{
    static const char page[PROFILE_PAGE_BYTES] = "page";
    struct stat status;
    snprintf(name_of(index), NAME_BYTES, "working-set-%d-%u", (int)getpid(), index);
    int fd = open(name_of(index), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    for (int i = 0; i < FILE_PAGES; i++)
        cr_assert_eq(write(fd, page, sizeof page), (ssize_t)sizeof page);
    cr_assert_eq(fsync(fd), 0);
    cr_assert_eq(fstat(fd, &status), 0);
    close(fd);
    files[index] = (struct profile_file){
        .size = (uint64_t)status.st_size,
        .mtime_ns = status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec,
        .path = index * NAME_BYTES,
    };
}

/* In each file two ranges that are too far from each other to be read as one. */
static void set_up(void)
{
    for (uint32_t i = 0; i < FILES; i++) {
        make_file(i);
        ranges[2 * i] = (struct profile_range){.file = i, .first_page = 0, .page_count = 2};
        ranges[2 * i + 1] = (struct profile_range){.file = i, .first_page = 20, .page_count = 4};
    }
    clock_step_ns = 0;
    section.range_count = RANGES;
    set = (struct working_set){
        .profile = {.files = files, .ranges = ranges, .strings = strings},
        .section = &section,
        .counters = &counters,
        .budget_bytes = UINT64_MAX,
        .deadline_ns = UINT64_MAX,
    };
    /* What the look itself runs must be in memory first: valgrind may read, to translate it, and
     * that would count as reading the page. */
    working_set_is_resident(&set);
}

static void tear_down(void)
{
    for (uint32_t i = 0; i < FILES; i++)
        unlink(name_of(i));
}

TestSuite(working_set, .init = set_up, .fini = tear_down);

static void evict_all(void)
{
    for (uint32_t i = 0; i < FILES; i++) {
        int fd = open(name_of(i), O_RDONLY | O_CLOEXEC);
        cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        close(fd);
    }
}

/* Of a file of one's own mincore() tells the truth. PROT_NONE: valgrind reads the first page of
 * what is mapped to be read. */
static bool is_resident(uint32_t file, size_t page)
{
    int fd = open(name_of(file), O_RDONLY | O_CLOEXEC);
    void *map = mmap(NULL, (size_t)FILE_PAGES * PROFILE_PAGE_BYTES, PROT_NONE, MAP_SHARED, fd, 0);
    unsigned char seen[FILE_PAGES];
    cr_assert_neq(map, MAP_FAILED);
    cr_assert_eq(mincore(map, sizeof seen * PROFILE_PAGE_BYTES, seen), 0);
    munmap(map, sizeof seen * PROFILE_PAGE_BYTES);
    close(fd);
    return seen[page] & 1;
}

static bool all_are_resident(uint32_t first_file, size_t page)
{
    for (uint32_t i = first_file; i < FILES; i++)
        if (!is_resident(i, page))
            return false;
    return true;
}

static void *read_all(void *unused)
{
    while (working_set_read_run(&set)) {
    }
    return unused;
}

static void touch_all(void)
{
    while (working_set_touch_chunk(&set)) {
    }
}

static void *scout_then_read(void *unused)
{
    touch_all();
    return read_all(unused);
}

static void read_by_many_threads(void)
{
    enum { READERS = 4, SCOUTS = 4 };
    pthread_t threads[READERS + SCOUTS];
    for (int i = 0; i < READERS + SCOUTS; i++)
        cr_assert_eq(
            pthread_create(&threads[i], NULL, i < READERS ? read_all : scout_then_read, NULL), 0);
    for (int i = 0; i < READERS + SCOUTS; i++)
        pthread_join(threads[i], NULL);
}

Test(working_set, each_range_is_read_by_one_of_many_threads)
{
    evict_all();
    read_by_many_threads();
    cr_expect(all_are_resident(0, 1) && all_are_resident(0, FILE_PAGES - 1));
    cr_expect_eq(counters.ranges, RANGES);
    cr_expect_eq(counters.bytes, (uint64_t)FILES * 6 * PROFILE_PAGE_BYTES);
    cr_expect_eq(counters.stale_files, 0);
}

Test(working_set, scouts_touch_the_first_page_of_what_nobody_has_come_to)
{
    evict_all();
    set.next_range = 2; /* a reader is at the second file */
    clock_step_ns = MEMORY_RUN_NS;
    touch_all();
    cr_expect(all_are_resident(1, 0));
    cr_expect_not(is_resident(0, 0));
    cr_expect_eq(set.runs, FILES - 1, "one chunk a file");
    cr_expect_eq(set.slow_runs, 0);
    cr_expect_eq(counters.bytes, 0);
    cr_expect_eq(counters.ranges, 0);
}

Test(working_set, what_took_no_time_says_nothing_of_the_storage)
{
    evict_all();
    clock_step_ns = MEMORY_RUN_NS - 1;
    touch_all();
    cr_expect(all_are_resident(0, 0));
    cr_expect_eq(set.runs, 0);
}

Test(working_set, what_took_long_is_slow)
{
    evict_all();
    clock_step_ns = SLOW_RUN_NS;
    touch_all();
    cr_expect_eq(set.slow_runs, FILES);
    cr_expect_eq(set.runs, FILES);
}

Test(working_set, ranges_near_each_other_are_read_as_one)
{
    ranges[1].first_page = 5; /* behind a gap of 3 pages */
    section.range_count = 2;
    read_all(NULL);
    cr_expect_eq(counters.bytes, 9 * PROFILE_PAGE_BYTES);
    ranges[1].first_page = 6;
    counters.bytes = set.next_range = 0;
    read_all(NULL);
    cr_expect_eq(counters.bytes, 6 * PROFILE_PAGE_BYTES);
}

Test(working_set, is_resident_when_its_samples_are)
{
    read_all(NULL);
    cr_expect(working_set_is_resident(&set));
    evict_all();
    cr_expect_not(working_set_is_resident(&set));
    section.range_count = 0;
    cr_expect_not(working_set_is_resident(&set), "nothing is known of an empty set");
}

Test(working_set, look_ups_say_nothing_of_residency)
{
    for (uint32_t i = 0; i < RANGES; i++)
        ranges[i].page_count = 0;
    cr_expect_not(working_set_is_resident(&set));
    ranges[RANGES - 1].page_count = 1;
    read_all(NULL);
    cr_expect(working_set_is_resident(&set));
    name_of(FILES - 1)[0] = 'W'; /* nor does a file that is gone */
    cr_expect_not(working_set_is_resident(&set));
    name_of(FILES - 1)[0] = 'w';
}

/* Image layers, archives and packages keep no exact times: a profile that was recorded in an image
 * build would name nothing but stale files. */
Test(working_set, files_that_have_changed_are_read_if_their_size_agrees)
{
    files[0].mtime_ns++;
    files[1].mtime_ns = 0; /* not known */
    files[2].mtime_ns++;
    files[2].build_id_bytes = 4;
    memcpy(files[2].build_id, "else", 4);
    evict_all();
    read_all(NULL);
    cr_expect(all_are_resident(0, 0));
    cr_expect_eq(counters.stale_files, 0);
}

Test(working_set, files_of_another_size_are_left_out)
{
    files[0].size++;
    files[1].size--;
    evict_all();
    name_of(2)[0] = 'W'; /* there is none of that name */
    read_all(NULL);
    cr_expect(all_are_resident(3, 0));
    cr_expect_eq(counters.stale_files, 3);
    cr_expect_eq(counters.ranges, RANGES);
    cr_expect_not(is_resident(0, 0));
    cr_expect_not(is_resident(1, 0));
    name_of(2)[0] = 'w';
    evict_all();
    set.next_range = set.next_chunk = 0;
    touch_all();
    cr_expect(all_are_resident(2, 0));
    cr_expect_not(is_resident(0, 0));
}

Test(working_set, paths_are_looked_up_and_folders_listed)
{
    const uint32_t folder = FILES, nothing = FILES + 1;
    strcpy(name_of(folder), ".");
    strcpy(name_of(nothing), "no/such/path");
    files[folder] =
        (struct profile_file){.path = folder * NAME_BYTES, .kind = PROFILE_FILE_DIRECTORY};
    files[nothing] = (struct profile_file){.path = nothing * NAME_BYTES, .kind = PROFILE_FILE_PATH};
    ranges[0] = (struct profile_range){.file = folder};
    ranges[1] = (struct profile_range){.file = nothing};
    section.range_count = 2;
    read_all(NULL);
    cr_expect_eq(counters.ranges, 2);
    cr_expect_eq(counters.stale_files, 0, "a path may lead nowhere");
    cr_expect_eq(set.runs, 0, "look-ups say nothing of the storage");
    set.next_range = 0;
    touch_all();
    cr_expect_eq(set.next_chunk, 2);
    name_of(folder)[0] = 'n'; /* a folder that is gone */
    set.next_range = 0;
    read_all(NULL);
    cr_expect_eq(counters.stale_files, 1);
}

Test(working_set, stops_at_its_budgets)
{
    static const uint64_t budgets[] = {0, 1, PROFILE_PAGE_BYTES - 1, 3 * PROFILE_PAGE_BYTES,
                                       4 * PROFILE_PAGE_BYTES - 1};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        set.next_range = 0;
        set.is_spent = false;
        counters.bytes = 0;
        set.budget_bytes = budgets[i];
        read_all(NULL);
        cr_expect_eq(counters.bytes, budgets[i] / PROFILE_PAGE_BYTES * PROFILE_PAGE_BYTES);
        cr_expect_eq(working_set_budget_hits(&set), BUDGET_BYTES, "%zu", i);
        cr_expect_not(working_set_touch_chunk(&set));
    }
    set.budget_bytes = UINT64_MAX;
    set.is_spent = false;
    cr_expect_eq(working_set_budget_hits(&set), 0);
    set.deadline_ns = sys_monotonic_ns();
    cr_expect_not(working_set_read_run(&set));
    cr_expect_not(working_set_touch_chunk(&set));
    cr_expect_eq(working_set_budget_hits(&set), BUDGET_TIME);
    cr_expect_eq(counters.bytes, 3 * PROFILE_PAGE_BYTES);
}

/* Of a run of several files those behind the end of the budget were not asked for, but the last
 * page of the last one was waited for, which read it: now and then more was in memory than the
 * report said. */
Test(working_set, reads_no_page_that_it_does_not_count)
{
    evict_all();
    set.budget_bytes = 3 * PROFILE_PAGE_BYTES;
    cr_expect(working_set_read_run(&set));
    cr_expect_eq(counters.bytes, 3 * PROFILE_PAGE_BYTES);
    cr_expect_gt(set.next_range, 2, "a run of one file alone proves nothing");
    for (uint32_t i = 1; i < FILES; i++)
        for (size_t page = 0; page < FILE_PAGES; page++)
            cr_expect_not(is_resident(i, page), "file %u, page %zu", i, page);
}

Test(working_set, is_sorted_within_windows)
{
    static const struct profile_range before[] = {
        {.file = 1, .first_page = 300, .page_count = 200, .epoch = 0},
        {.file = 0, .first_page = 9, .page_count = 1, .epoch = 1},
        {.file = 0, .first_page = 8, .page_count = 311, .epoch = 2},
        {.file = 3, .first_page = 0, .page_count = 0, .epoch = 3}, /* the second window */
        {.file = 0, .first_page = 0, .page_count = 1, .epoch = 4},
        {.file = 2, .first_page = 0, .page_count = 0, .epoch = 5},
        {.file = 1, .first_page = 0, .page_count = 1, .epoch = 6}, /* first in the first alone */
    };
    static uint32_t ranks[FILES];
    static const uint32_t order[] = {0, 2, 1, 3, 5, 4, 6};
    section.range_count = 7;
    section.first_range = 1; /* of another executable is the first */
    memcpy(ranges + 1, before, sizeof before);
    ranges[0].epoch = 77;
    working_set_sort(&set, ranks, ranges);
    cr_expect_eq(ranges[0].epoch, 77);
    for (size_t i = 0; i < 7; i++)
        cr_expect_eq(ranges[i + 1].epoch, order[i], "%zu", i);
}

Test(working_set, slow_are_six_reads_that_are_two_thirds_of_all)
{
    static const struct {
        uint32_t runs, slow;
        bool expected;
    } cases[] = {{0, 0, false}, {5, 5, false}, {6, 6, true}, {9, 6, false}, {10, 7, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set.runs = cases[i].runs;
        set.slow_runs = cases[i].slow;
        cr_expect_eq(working_set_is_slow(&set), cases[i].expected, "%zu", i);
    }
}
