#include "replay/replay.h"

#include "base/sys.h"
#include "profile/profile_write.h"
#include "replay/budget.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Files of our own in the working folder, and a profile of them that is in memory. */
enum { FILES = 20, PAGES = 4, FILE_BYTES = PAGES * PROFILE_PAGE_BYTES };
static const char program[] = "/usr/bin/program";
static char names[FILES][48];
static uint8_t *bytes;
static struct loaded_profile loaded;
static struct replay_plan plan;

/* Seen by all processes of a test. */
static struct shared {
    struct replay_result result;
    int ended, unfinished; /* how often */
    enum replay_state state;
    int process_id; /* that has ended it */
} * shared;

static bool count_end(enum replay_state state)
{
    shared->state = state;
    shared->process_id = (int)sys_getpid();
    __atomic_add_fetch(&shared->ended, 1, __ATOMIC_RELEASE);
    return true;
}

static void set_up(void)
{
    static const char page[FILE_BYTES] = "page";
    struct profile_writer *writer = profile_writer_new(1000, 1700000000);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared, MAP_FAILED);
    profile_writer_add_executable(writer, program);
    for (uint32_t i = 0; i < FILES; i++) {
        struct profile_file file = {.size = FILE_BYTES};
        snprintf(names[i], sizeof names[i], "/proc/self/cwd/replay-%d-%u", (int)getpid(), i);
        int fd = open(names[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(write(fd, page, sizeof page), (ssize_t)sizeof page);
        cr_assert_eq(fsync(fd), 0);
        close(fd);
        char *path = realpath(names[i], NULL);
        profile_writer_add_file(writer, path, &file);
        free(path);
        profile_writer_add_range(writer, &(struct profile_range){.file = i, .page_count = PAGES});
    }
    cr_assert_eq(profile_writer_finish(writer, &bytes, &loaded.size), 0);
    loaded.bytes = bytes;
    loaded.header = *(const struct profile_header *)(const void *)bytes;
    loaded.fd = -1;
    plan = (struct replay_plan){
        .profile = &loaded,
        .executable = program,
        .mode = MODE_SYNC,
        .workers = 3,
        .most_workers = 5,
        .budget_bytes = BUDGET_BY_MEMORY,
        .deadline_ns = UINT64_MAX,
        .keeps_stderr = true,
        .result = &shared->result,
        .ended = count_end,
    };
}

static void tear_down(void)
{
    for (int i = 0; i < FILES; i++)
        unlink(names[i]);
}

TestSuite(replay, .init = set_up, .fini = tear_down, .timeout = 100);

static void evict(void)
{
    for (int i = 0; i < FILES; i++) {
        int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        close(fd);
    }
}

/* Of a file of one's own mincore() tells the truth. */
static unsigned resident_pages(void)
{
    unsigned count = 0;
    for (int i = 0; i < FILES; i++) {
        unsigned char seen[PAGES];
        int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        void *map = mmap(NULL, FILE_BYTES, PROT_NONE, MAP_SHARED, fd, 0);
        cr_assert_neq(map, MAP_FAILED);
        cr_assert_eq(mincore(map, FILE_BYTES, seen), 0);
        for (int page = 0; page < PAGES; page++)
            count += seen[page] & 1;
        munmap(map, FILE_BYTES);
        close(fd);
    }
    return count;
}

/* A replay has asked for them, but waits only for the last of each run. */
static void await_pages(unsigned count)
{
    while (resident_pages() < count)
        usleep(1000);
}

static void await(const int *word)
{
    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
        usleep(1000);
}

static void expect_end(enum replay_state state)
{
    await(&shared->ended);
    cr_expect_eq(shared->ended, 1);
    cr_expect_eq(shared->state, state, "%d", (int)shared->state);
}

static void expect_all_read(enum replay_mode mode)
{
    plan.mode = mode;
    evict();
    cr_assert_eq(resident_pages(), 0);
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_DONE);
    await_pages(FILES * PAGES);
    cr_expect_eq(shared->result.ranges_total, FILES);
    cr_expect_eq(shared->result.counters.ranges, FILES);
    cr_expect_eq(shared->result.counters.bytes, FILES * FILE_BYTES);
    cr_expect_eq(shared->result.counters.stale_files, 0);
    cr_expect_eq(shared->result.budget_hits, 0);
    cr_expect_eq(waitpid(-1, NULL, 0), -1, "no child is left");
}

Test(replay, reads_all_before_it_returns)
{
    expect_all_read(MODE_SYNC);
    cr_expect_eq(shared->process_id, getpid());
    cr_expect_null(loaded.bytes, "the profile is given up");
}

Test(replay, asks_here_and_leaves_the_profile_loaded)
{
    plan.workers = plan.most_workers = 1;
    plan.only_asks = true;
    evict();
    cr_expect_eq(replay_here(&plan), STATE_DONE);
    await_pages(FILES * PAGES);
    cr_expect_eq(shared->result.counters.ranges, FILES);
    cr_expect_eq(shared->ended, 0);
    cr_expect_eq(loaded.bytes, bytes);
}

Test(replay, begins_again_with_a_profile_that_is_sorted)
{
    struct profile profile;
    cr_assert_eq(profile_parse(bytes, loaded.size, &profile), 0);
    struct profile_range *ranges = (struct profile_range *)(uintptr_t)profile.ranges;
    const struct profile_range first = ranges[0];
    ranges[0] = ranges[1];
    ranges[1] = first;
    plan.is_checked = true;
    expect_all_read(MODE_SYNC);
}

/* Neither the thread sanitizer nor valgrind bears threads and processes without libc. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if CB_HAVE_RAW_THREAD && !defined(__SANITIZE_THREAD__) && !__has_feature(thread_sanitizer)
static bool is_under_valgrind(void)
{
    const char *list = getenv("LD_PRELOAD");
    return list && strstr(list, "vgpreload_");
}

Test(replay, reads_all_in_a_thread)
{
    if (is_under_valgrind())
        return;
    expect_all_read(MODE_THREAD);
    cr_expect_eq(shared->process_id, getpid());
}

Test(replay, reads_all_in_a_process)
{
    if (is_under_valgrind())
        return;
    expect_all_read(MODE_PROCESS);
    cr_expect_neq(shared->process_id, getpid());
    cr_expect_null(loaded.bytes);
}

static int ended_in_our_memory;

static bool count_end_in_our_memory(enum replay_state state)
{
    ended_in_our_memory++;
    return count_end(state);
}

Test(replay, reads_all_in_the_memory_that_it_is_left)
{
    if (is_under_valgrind())
        return;
    plan.leaves_memory = true;
    plan.ended = count_end_in_our_memory;
    expect_all_read(MODE_PROCESS);
    cr_expect_neq(shared->process_id, getpid());
    cr_expect_eq(ended_in_our_memory, 1);
    cr_expect_not_null(loaded.bytes, "the replay's until this process is another program");
}

/* The leader stays in here until the watcher has been here, too. */
static bool end_twice(enum replay_state state)
{
    if (state == STATE_UNFINISHED) {
        __atomic_add_fetch(&shared->unfinished, 1, __ATOMIC_RELEASE);
        return false;
    }
    const struct timespec pause = {0, 1000000};
    for (int i = 0; i < 10000 && !__atomic_load_n(&shared->unfinished, __ATOMIC_ACQUIRE); i++)
        cb_syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&pause, 0, 0, 0);
    return count_end(state);
}

Test(replay, is_told_when_the_program_has_ended_first)
{
    if (is_under_valgrind())
        return;
    plan.mode = MODE_PROCESS;
    plan.ended = end_twice;
    pid_t child = fork();
    if (child == 0)
        _exit(replay_start(&plan) != 0);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    await(&shared->ended);
    cr_expect_eq(shared->unfinished, 1);
    cr_expect_eq(shared->ended, 1);
    cr_expect_neq(shared->process_id, child);
}
#endif

Test(replay, ends_where_its_budget_does)
{
    evict();
    plan.budget_bytes = FILE_BYTES;
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_BUDGET);
    cr_expect_eq(shared->result.budget_hits, BUDGET_BYTES);
    cr_expect_eq(shared->result.counters.bytes, FILE_BYTES);
    await_pages(PAGES);
    cr_expect_eq(resident_pages(), PAGES);
}

Test(replay, ends_at_its_deadline)
{
    plan.deadline_ns = 1;
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_BUDGET);
    cr_expect_eq(shared->result.budget_hits, BUDGET_TIME);
    cr_expect_eq(shared->result.counters.bytes, 0);
}

Test(replay, looks_first_if_it_is_told_to)
{
    evict();
    plan.looks = true;
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_DONE);
    await_pages(FILES * PAGES);
    shared->ended = 0;
    loaded.bytes = bytes;
    shared->result.counters.bytes = 0;
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_SKIPPED);
    cr_expect_eq(shared->result.counters.bytes, 0);
}

Test(replay, asks_for_nothing_by_a_bad_profile)
{
    evict();
    bytes[loaded.size - 2] ^= 1;
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_BAD_PROFILE);
    shared->ended = 0;
    bytes[loaded.size - 2] ^= 1;
    loaded.bytes = bytes;
    plan.executable = "/usr/bin/other";
    cr_assert_eq(replay_start(&plan), 0);
    expect_end(STATE_BAD_PROFILE);
    cr_expect_eq(resident_pages(), 0);
}

Test(replay, fails_where_there_is_no_memory)
{
    const struct rlimit none = {1, 1};
    cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
    int error = replay_start(&plan);
    cr_expect_eq(error, -ENOMEM);
    cr_expect_eq(shared->ended, 0);
    cr_expect_null(loaded.bytes);
}
