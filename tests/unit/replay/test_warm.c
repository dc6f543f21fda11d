#include "replay/warm.h"

#include "base/sys.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of our own in the working folder, and a profile as it is on the disk. */
enum { FILES = 13, RANGES = 100, FILE_PAGES = 4, NAME_BYTES = 192 };
static struct {
    struct profile_header header;
    struct profile_executable section;
    struct profile_file files[FILES];
    struct profile_range ranges[RANGES];
    char strings[FILES * NAME_BYTES];
} profile;

static char *name_of(uint32_t file)
{
    return profile.strings + (size_t)file * NAME_BYTES;
}

static enum residency look_with(bool newest)
{
    const uint8_t *bytes = (const uint8_t *)&profile;
    const struct profile_executable *section = profile_peek_row(bytes, sizeof profile, name_of(0));
    struct profile view;
    cr_assert(section);
    profile.header.size = sizeof profile;
    cr_assert(profile_view(bytes, sizeof profile, &view));
    return warm_look(&view, section, name_of(0), newest);
}

static enum residency look(void)
{
    return look_with(true);
}

static void describe(uint32_t index, const char *path)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    profile.files[index] = (struct profile_file){
        .size = (uint64_t)status.st_size,
        .mtime_ns = status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec,
        .path = index * NAME_BYTES,
    };
}

/* The first one is the executable. */
static void make_file(uint32_t index)
{
    static const char page[4096] = "page";
    snprintf(name_of(index), NAME_BYTES, "/proc/self/cwd/warm-%d-%u", (int)getpid(), index);
    int fd = open(name_of(index), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    for (int i = 0; i < FILE_PAGES; i++)
        cr_assert_eq(write(fd, page, sizeof page), (ssize_t)sizeof page);
    cr_assert_eq(write(fd, page, index + 1), (ssize_t)index + 1); /* by which it is recognised */
    cr_assert_eq(fsync(fd), 0);
    close(fd);
    describe(index, name_of(index));
}

/* What is looked at is the page that was touched last. */
static void set_up(void)
{
    for (uint32_t i = 0; i < FILES; i++) {
        make_file(i);
        profile.ranges[i] = (struct profile_range){.file = i, .first_page = 0, .page_count = 1};
        profile.ranges[FILES + i] =
            (struct profile_range){.file = i, .first_page = 3, .page_count = 1};
    }
    profile.header = (struct profile_header){.executable_count = 1,
                                             .file_count = FILES,
                                             .range_count = RANGES,
                                             .string_bytes = sizeof profile.strings};
    profile.section = (struct profile_executable){.path_hash = profile_hash(name_of(0)),
                                                  .range_count = FILES - 1};
    /* What the look itself runs must be in memory first: valgrind may read, to translate it, and
     * that would count as reading the page. */
    look();
}

static void tear_down(void)
{
    for (uint32_t i = 0; i < FILES; i++)
        unlink(name_of(i));
}

TestSuite(warm, .init = set_up, .fini = tear_down);

static void evict(uint32_t file)
{
    int fd = open(name_of(file), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
}

static void touch(uint32_t file, off_t page)
{
    char byte;
    int fd = open(name_of(file), O_RDONLY | O_CLOEXEC);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    cr_assert_eq(pread(fd, &byte, 1, page * 4096), 1);
    close(fd);
}

static void touch_all(void)
{
    for (uint32_t i = 0; i < FILES; i++)
        for (off_t page = 0; page < FILE_PAGES; page++)
            touch(i, page);
}

static void expect(enum residency expected, const char *what)
{
    touch_all();
    enum residency found = look();
    cr_expect_eq(found, expected, "%s: %d", what, (int)found);
}

static void expect_cold_without(uint32_t file)
{
    touch_all();
    evict(file);
    cr_expect_eq(look(), NOT_RESIDENT, "without file %u", file);
}

Test(warm, is_resident_if_all_its_files_are)
{
    expect(RESIDENT, "all in memory");
    for (uint32_t i = 0; i < FILES - 1; i++)
        expect_cold_without(i);
}

Test(warm, is_judged_by_what_was_touched_last)
{
    profile.ranges[1] = (struct profile_range){.file = 0, .first_page = 3, .page_count = 1};
    profile.section.range_count = 2;
    evict(0);
    touch(0, 0);
    cr_expect_eq(look(), NOT_RESIDENT);
}

Test(warm, is_unknown_without_pages)
{
    profile.section.range_count = 0;
    expect(RESIDENCY_UNKNOWN, "no ranges");
    profile.section.range_count = 1;
    profile.ranges[0].page_count = 0;
    expect(RESIDENCY_UNKNOWN, "look-ups alone");
}

static void use_true_names(void)
{
    for (uint32_t i = 0; i < FILES; i++) {
        char *path = realpath(name_of(i), NULL);
        cr_assert(path && strlen(path) < NAME_BYTES);
        strcpy(name_of(i), path);
        free(path);
    }
    profile.section.path_hash = profile_hash(name_of(0));
}

/* Image layers keep no exact times: every start there would pass for one that nobody can tell. */
Test(warm, does_not_mind_other_times)
{
    use_true_names();
    for (uint32_t i = 0; i < FILES; i++)
        profile.files[i].mtime_ns++;
    expect(RESIDENT, "all in memory");
    expect_cold_without(0);
    expect_cold_without(3);
}

Test(warm, what_has_another_size_says_nothing)
{
    profile.files[3].size++;
    profile.files[4].size--;
    expect(RESIDENT, "all but two");
    evict(3);
    evict(4);
    cr_expect_eq(look(), RESIDENT, "the two are not in memory");
    cr_assert_eq(unlink(name_of(5)), 0);
    cr_assert_eq(unlink(name_of(6)), 0);
    cr_assert_eq(mkfifo(name_of(6), 0600), 0);
    cr_expect_eq(look(), RESIDENT, "none, and a FIFO");
    profile.files[0].size++;
    cr_expect_eq(look_with(false), RESIDENCY_UNKNOWN, "nothing that has just been opened");
}

/* None of the executable's pages is a sample: nothing is known to be in memory. */
Test(warm, needs_nothing_that_has_just_been_opened)
{
    use_true_names();
    int fd = sys_open_how(name_of(1), O_PATH, SYS_KNOWN);
    if (fd < 0)
        cr_skip_test("before Linux 5.12 nobody can tell whether to open is to wait");
    close(fd);
    profile.files[0].size++;
    expect(RESIDENT, "all in memory");
    cr_expect_eq(look_with(false), RESIDENCY_UNKNOWN, "by older system calls");
    for (uint32_t i = 1; i < FILES - 1; i++)
        expect_cold_without(i);
    cr_assert_eq(unlink(name_of(5)), 0);
    cr_expect_eq(look(), RESIDENCY_UNKNOWN, "a name that is not known");
}

/* A longer program is worth a look at more of its pages. */
Test(warm, takes_all_samples_of_a_long_start)
{
    for (uint32_t i = 0; i < RANGES; i++)
        profile.ranges[i] = (struct profile_range){
            .file = 0, .first_page = i < RANGES / 2 ? 1 : 3, .page_count = 1};
    profile.section.range_count = RANGES;
    expect(RESIDENT, "all in memory");
    evict(0);
    touch(0, 3);
    cr_expect_eq(look(), NOT_RESIDENT, "what was touched first is not");
}

/* Of many ranges a sixteenth each; they are then read one by one. */
Test(warm, is_told_by_samples)
{
    for (uint32_t i = 0; i < RANGES; i++)
        profile.ranges[i] = (struct profile_range){.file = i * FILES / RANGES, .page_count = 1};
    profile.section.range_count = RANGES;
    for (uint32_t i = 0; i < FILES; i++)
        expect_cold_without(i);
    expect(RESIDENT, "all in memory");
}

static int find_libc(struct dl_phdr_info *info, size_t size, void *path)
{
    (void)size;
    if (!strstr(info->dlpi_name, "/libc.so"))
        return 0;
    *(const char **)path = info->dlpi_name;
    return 1;
}

Test(warm, of_loaded_objects_needs_no_names)
{
    const char *libc = NULL;
    dl_iterate_phdr(find_libc, &libc);
    cr_assert(libc);
    profile.section.first_range = 7;
    profile.section.range_count = 1;
    describe(7, libc);
    cr_assert_eq(unlink(name_of(7)), 0);
    cr_assert_eq(symlink("nowhere", name_of(7)), 0);
    cr_expect_eq(look(), RESIDENT);
}

/* Only its header has been looked at before. */
Test(warm, may_be_asked_of_a_damaged_profile)
{
    profile.ranges[1].file = FILES;
    profile.files[2].path = (uint32_t)sizeof profile.strings;
    memset(name_of(FILES - 1), '/', NAME_BYTES);
    profile.files[3].path = (FILES - 1) * NAME_BYTES;
    profile.section.range_count = 4;
    cr_expect_eq(look(), RESIDENT, "by its executable alone");
    profile.section.first_range = UINT32_MAX;
    cr_expect_eq(look(), RESIDENCY_UNKNOWN, "no such range");
}
