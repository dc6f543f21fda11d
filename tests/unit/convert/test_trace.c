/*
 * test_trace.c: from records of a trace to a recording. The files are real: the folder of the test
 * is made where the test runs, which must not be a tmpfs, whose files are left out.
 */
#include "../../support/new_trace.h"
#include "convert/trace_reader.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EPOCH_US = 1000, EPOCH_NS = EPOCH_US * 1000, PAGES = 100, BYTES = 8 << 20 };

static char folder[PATH_MAX];
static struct trace_header *trace;
static struct timespec since;

static void set_up(void)
{
    char name[] = "trace-test.XXXXXX";
    cr_assert_not_null(mkdtemp(name));
    cr_assert_not_null(realpath(name, folder));
    clock_gettime(CLOCK_REALTIME, &since);
    since.tv_sec += 3600;
    trace = new_trace(BYTES);
}

static void tear_down(void)
{
    char *command;
    munmap(trace, BYTES);
    cr_assert(asprintf(&command, "rm -r '%s'", folder) > 0);
    cr_assert_eq(system(command), 0);
    free(command);
}

TestSuite(trace, .init = set_up, .fini = tear_down);

static char *path_of(const char *name)
{
    char *path;
    cr_assert(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

static uint32_t add_path(const char *path, uint64_t key_inode)
{
    return trace_add_file(trace, 1, key_inode, path, (uint32_t)strlen(path));
}

/* A file of PAGES pages and a byte, known under its path's own key. */
static uint32_t add_file(const char *name)
{
    char *path = path_of(name);
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, PAGES * PROFILE_PAGE_BYTES + 1) == 0);
    cr_assert_eq(fstat(fd, &status), 0);
    close(fd);
    uint32_t file = add_path(path, status.st_ino);
    free(path);
    return file;
}

static uint32_t add_process(const char *executable)
{
    return trace_add_process(trace, 1, executable, (uint32_t)strlen(executable));
}

static void add(uint32_t process, uint32_t file, uint64_t epoch, uint32_t first, uint32_t count)
{
    struct trace_range range = {
        .process = process,
        .file = file,
        .first_page = first,
        .page_count = count,
        .how = TRACE_READ,
        .time_ns = epoch * EPOCH_NS,
    };
    trace_add_range(trace, &range);
}

static struct recording read_recording(void)
{
    struct trace_options options = {EPOCH_US, since, NULL, false};
    struct recording recording;
    trace_read(trace, &options, &recording);
    return recording;
}

/* "NAME:FIRST+COUNT@EPOCH …" of one executable; look-ups are "NAME?@EPOCH". */
static char *describe(const struct recording *recording, size_t executable)
{
    static char text[4096];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < recording->executables[executable].range_count; i++) {
        const struct profile_range *range = &recording->executables[executable].ranges[i];
        const char *path = recording->files[range->file].path;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "",
                               strrchr(path, '/') + 1);
        if (range->page_count)
            at += (size_t)snprintf(text + at, sizeof text - at, ":%u+%u@%u", range->first_page,
                                   range->page_count, range->epoch);
        else
            at += (size_t)snprintf(text + at, sizeof text - at, "?@%u", range->epoch);
    }
    return text;
}

#define EXPECT_RANGES(recording, executable, expected)                                             \
    cr_expect_str_eq(describe(&(recording), executable), expected)

Test(trace, keeps_the_first_touch_of_each_page)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    add(process, a, 9, 0, 100);
    add(process, a, 5, 40, 20);
    add(process, a, 7, 50, 30);
    struct recording recording = read_recording();
    cr_assert_eq(recording.executable_count, 1);
    EXPECT_RANGES(recording, 0, "a?@5 a:40+20@5 a:60+20@7 a:0+40@9 a:80+20@9");
    cr_expect_eq(recording.page_count, 100);
    recording_free(&recording);
}

Test(trace, orders_by_epoch_then_file_then_offset_and_joins_neighbours)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a"), b = add_file("b");
    add(process, b, 3, 50, 1);
    add(process, a, 3, 30, 1); /* the same time: the order of the trace decides */
    struct trace_range later = {
        .process = process,
        .file = b,
        .first_page = 49,
        .page_count = 1,
        .how = TRACE_MAPPED,
        .time_ns = 3 * EPOCH_NS + 5,
    };
    trace_add_range(trace, &later);
    later.file = a;
    later.first_page = 19;
    later.time_ns = 2 * EPOCH_NS + 999;
    trace_add_range(trace, &later);
    later.file = b;
    later.first_page = 7;
    later.time_ns = 2 * EPOCH_NS + 998;
    trace_add_range(trace, &later);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "b?@2 b:7+1@2 a?@2 a:19+1@2 b:49+2@3 a:30+1@3");
    recording_free(&recording);
}

Test(trace, unites_the_processes_of_an_executable)
{
    uint32_t one = add_process("/bin/one"), two = add_process("/bin/two");
    uint32_t again = add_process("/bin/one"), a = add_file("a");
    add(one, a, 1, 0, 20);
    add(again, a, 2, 10, 20);
    add(two, a, 3, 1, 1);
    struct recording recording = read_recording();
    cr_assert_eq(recording.executable_count, 2);
    cr_expect_str_eq(recording.executables[0].path, "/bin/one");
    EXPECT_RANGES(recording, 0, "a?@1 a:0+20@1 a:20+10@2");
    EXPECT_RANGES(recording, 1, "a?@3 a:1+1@3");
    cr_expect_eq(recording.page_count, 30);
    recording_free(&recording);
}

/* sh -c 'zcat … | wc' was read ahead for sh alone, and gained nothing. */
Test(trace, gives_the_first_executable_what_all_of_them_touch)
{
    uint32_t one = add_process("/bin/one"), two = add_process("/bin/two");
    uint32_t a = add_file("a"), b = add_file("b");
    add(one, a, 1, 0, 10);
    add(two, b, 2, 5, 5);
    add(two, a, 2, 8, 20);
    add(one, b, 3, 8, 12);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:0+10@1 b?@2 b:5+5@2 a:10+18@2 b:10+10@3");
    EXPECT_RANGES(recording, 1, "b?@2 b:5+5@2 a?@2 a:8+20@2");
    cr_expect_eq(recording.page_count, 43);
    recording_free(&recording);
}

Test(trace, brings_forward_what_is_little_and_beside)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a"), b = add_file("b");
    add(process, a, 1, 40, 2);
    add(process, a, 5, 42, 8); /* as much as may be: nothing more with this one */
    add(process, a, 6, 39, 1);
    add(process, a, 7, 80, 1);
    add(process, a, 8, 81, 9); /* too much */
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:40+10@1 a:39+1@6 a:80+1@7 a:81+9@8");
    cr_expect_eq(recording.page_count, 21);
    recording_free(&recording);

    process = add_process("/bin/two");
    add(process, b, 1, 10, 1);
    add(process, b, 4, 5, 2); /* up to three pages lie between */
    add(process, b, 3, 14, 2);
    add(process, b, 7, 20, 1); /* four pages */
    add(process, b, 9, 24, 1); /* beside the one before */
    recording = read_recording();
    EXPECT_RANGES(recording, 1, "b?@1 b:5+2@1 b:10+1@1 b:14+2@1 b:20+1@7 b:24+1@7");
    recording_free(&recording);
}

Test(trace, what_the_loader_looked_up_is_first)
{
    uint32_t process = add_process("/bin/one"), mapped = add_file("mapped");
    uint32_t late = add_file("z"), early = add_file("a");
    add(process, mapped, 2, 0, 1);
    add(process, mapped, 3, 50, 1);
    struct trace_range loaded = {.process = process, .file = late, .how = TRACE_LOADED};
    loaded.time_ns = 9 * EPOCH_NS; /* when it was noted */
    trace_add_range(trace, &loaded);
    loaded.file = early;
    loaded.page_count = 2;
    trace_add_range(trace, &loaded);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "z?@2 a?@2 a:0+2@2 mapped?@2 mapped:0+1@2 mapped:50+1@3");
    recording_free(&recording);
}

Test(trace, unites_the_keys_of_a_file)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    char *path = path_of("a");
    uint32_t same = add_path(path, 4711);
    cr_assert_neq(a, same);
    cr_expect_eq(trace_find_file(trace, 1, 4711), same);
    add(process, a, 1, 0, 1);
    add(process, same, 1, 1, 1);
    struct recording recording = read_recording();
    cr_expect_eq(recording.file_count, 1);
    EXPECT_RANGES(recording, 0, "a?@1 a:0+2@1");
    recording_free(&recording);
    free(path);
}

Test(trace, cuts_to_the_size_of_the_file)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    add(process, a, 1, PAGES - 1, 100);
    add(process, a, 1, PAGES + 1, 1);
    add(process, a, 1, UINT32_MAX, UINT32_MAX);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:99+2@1");
    recording_free(&recording);
}

Test(trace, leaves_out_what_was_not_needed_or_has_changed)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a"), gone = add_file("gone");
    add_process("/bin/idle");
    add_file("unused");
    uint32_t replaced = add_file("replaced");
    char *path = path_of("gone"), *other = path_of("replaced"), *new_file = path_of("new");
    cr_assert_eq(unlink(path), 0);
    add_file("new");
    cr_assert_eq(rename(new_file, other), 0);
    uint32_t proc = add_path("/proc/self/maps", 3);
    add(process, a, 1, 0, 1);
    add(process, gone, 1, 0, 1);
    add(process, replaced, 1, 0, 1);
    add(process, proc, 1, 0, 1);
    struct recording recording = read_recording();
    cr_expect_eq(recording.file_count, 1);
    cr_expect_eq(recording.executable_count, 1);
    EXPECT_RANGES(recording, 0, "a?@1 a:0+1@1");
    recording_free(&recording);

    since.tv_sec -= 7200; /* now everything was written since */
    recording = read_recording();
    cr_expect_eq(recording.executable_count, 0);
    recording_free(&recording);
    free(path);
    free(other);
    free(new_file);
}

static void add_lookup(uint32_t process, const char *path, uint64_t time_ms)
{
    struct trace_range range = {
        .process = process,
        .file = trace_path(trace, path, (uint32_t)strlen(path)),
        .how = TRACE_LOOKED_UP,
        .time_ns = time_ms * 1000000,
    };
    trace_add_range(trace, &range);
}

Test(trace, keeps_paths_that_were_only_looked_up)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    char *missing = path_of("missing/deep"), *read = path_of("a");
    add_lookup(process, missing, 1);
    add_lookup(process, missing, 2); /* once is enough */
    add_lookup(process, "/proc/self/status", 2);
    add_lookup(process, "/sys/no such file", 2);
    add_lookup(process, read, 3); /* united with the file */
    add(process, a, 4, 0, 1);
    struct recording recording = read_recording();
    cr_assert_eq(recording.executable_count, 1);
    EXPECT_RANGES(recording, 0, "deep?@1 a?@3 a:0+1@4");
    cr_assert_eq(recording.file_count, 2);
    cr_expect_eq(recording.files[0].identity.kind, PROFILE_FILE_REGULAR);
    cr_expect_eq(recording.files[1].identity.kind, PROFILE_FILE_PATH);
    cr_expect_str_eq(recording.files[1].path, missing);
    recording_free(&recording);
    free(missing);
    free(read);
}

Test(trace, leaves_out_paths_that_the_program_made)
{
    uint32_t process = add_process("/bin/one");
    char *path = path_of("new");
    add_file("new");
    add_lookup(process, path, 1);
    add_lookup(process, "/usr/bin", 1);
    since.tv_sec -= 7200; /* now everything was written since */
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "bin?@1");
    recording_free(&recording);
    free(path);
}

Test(trace, lists_directories_without_pages)
{
    uint32_t process = add_process("/bin/one"), directory = add_path(folder, 5);
    struct trace_range range = {.process = process, .file = directory, .how = TRACE_LISTED};
    trace_add_range(trace, &range);
    trace_add_range(trace, &range);
    range.how = TRACE_READ;
    range.page_count = 1;
    trace_add_range(trace, &range);
    struct recording recording = read_recording();
    cr_assert_eq(recording.executable_count, 1);
    cr_assert_eq(recording.executables[0].range_count, 1);
    cr_expect_eq(recording.executables[0].ranges[0].page_count, 0);
    cr_expect_eq(recording.files[0].identity.kind, PROFILE_FILE_DIRECTORY);
    recording_free(&recording);
}

/* What a process leaves that is killed between the claim of its room and the end of its record. */
Test(trace, steps_over_records_that_were_never_finished)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    add(process, a, 1, 0, 1);
    trace->next_unit += 3; /* claimed, not begun */
    add(process, a, 1, 1, 1);
    struct trace_record *begun =
        (void *)((uint8_t *)trace + (uint64_t)trace->next_unit * TRACE_UNIT);
    begun->units = 1;
    begun->kind = TRACE_RANGE; /* not complete */
    trace->next_unit += 1;
    add(process, a, 1, 2, 1);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:0+3@1");
    recording_free(&recording);
}

Test(trace, survives_any_bytes)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    add(process, a, 1, 0, 1);
    uint64_t first = trace->next_unit;
    unsigned seed = 1;
    const size_t units = 100000;
    uint32_t *words = (void *)((uint8_t *)trace + first * TRACE_UNIT);
    for (size_t i = 0; i < units * TRACE_UNIT / sizeof *words; i++) {
        words[i] = (uint32_t)rand_r(&seed) * 3;
        if (i % 8 == 0) /* mostly complete records of a known kind and a small size */
            words[i] = (uint32_t)(TRACE_COMPLETE | rand_r(&seed) % 4) |
                       (uint32_t)(rand_r(&seed) % 8) << 16;
        else if (rand_r(&seed) % 2)
            words[i] = i % 2 ? process : a;
    }
    trace->next_unit = first + units;
    struct recording recording = read_recording();
    cr_expect_geq(recording.executable_count, 1);
    cr_expect_eq(recording.executables[0].ranges[0].epoch, 1);
    recording_free(&recording);
    /* A path that does not end before the trace does. */
    struct trace_record *last = (void *)((uint8_t *)trace + BYTES - TRACE_UNIT);
    memset(last, '/', TRACE_UNIT);
    last->units = 1000;
    last->kind = TRACE_PROCESS | TRACE_COMPLETE;
    trace->next_unit = UINT64_MAX;
    recording = read_recording();
    cr_expect_geq(recording.executable_count, 1);
    recording_free(&recording);
}

Test(trace, a_full_trace_stops_and_says_so)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    trace->next_unit = BYTES / TRACE_UNIT - 1;
    add(process, a, 1, 0, 1);
    cr_expect_eq(trace->lost, 0);
    uint64_t end = trace->next_unit;
    add(process, a, 1, 1, 1);
    cr_expect_eq(trace->lost, 1);
    cr_expect_eq(trace->next_unit, end);
    cr_expect_eq(add_process("/bin/two"), 0);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:0+1@1");
    recording_free(&recording);
}

Test(trace, a_finished_trace_takes_nothing_more)
{
    uint32_t process = add_process("/bin/one"), a = add_file("a");
    add(process, a, 1, 0, 1);
    trace->finished = 1;
    add(process, a, 1, 1, 1);
    struct recording recording = read_recording();
    EXPECT_RANGES(recording, 0, "a?@1 a:0+1@1");
    cr_expect_eq(trace->lost, 0);
    recording_free(&recording);
}

Test(trace, knows_the_build_id_of_an_object)
{
    char self[PATH_MAX] = "";
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    uint32_t process = add_process(self), file = add_path(self, 7);
    add(process, file, 1, 0, 1);
    struct recording recording = read_recording();
    cr_assert_eq(recording.file_count, 1);
    const struct profile_file *identity = &recording.files[0].identity;
    cr_expect_eq(identity->build_id_bytes, 20); /* it was linked with --build-id=sha1 */
    uint8_t bytes[16 + 20];
    int fd = open(self, O_RDONLY);
    cr_assert_eq(pread(fd, bytes, sizeof bytes, identity->build_id_offset - 16),
                 (ssize_t)sizeof bytes);
    close(fd);
    cr_expect_arr_eq(bytes, "\4\0\0\0\x14\0\0\0\3\0\0\0GNU", 16);
    cr_expect_arr_eq(bytes + 16, identity->build_id, 20);
    recording_free(&recording);
}

Test(trace, maps_nothing_but_a_trace)
{
    char *path = path_of("a");
    add_file("a");
    cr_expect_null(trace_map(path));
    cr_expect_null(trace_map("/no/such/file"));
    free(path);
}
