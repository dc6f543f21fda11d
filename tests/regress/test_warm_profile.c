/*
 * The look that tells a warm start reads a profile that nobody has checked, and handed rows of its
 * files on to what expects checked ones: a build-id longer than any went over the end of the
 * buffer, and with it the program's stack. Found by tests/fuzz/fuzz_warm.c.
 *
 * The same look took a path that was not absolute, and the working directory itself for one that
 * was too long: where that is on a file system whose server never answers, neither would the
 * program have ended. The list of mounts says nothing about either.
 */
#include "replay/profile.h"
#include "replay/warm.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char program[] = "/proc/self/exe";

static struct {
    struct profile_header header;
    struct profile_executable section;
    struct profile_file files[2];
    struct profile_range ranges[2];
    char strings[64];
} profile;

static enum residency look(void)
{
    const uint8_t *bytes = (const uint8_t *)&profile;
    const struct profile_executable *section = profile_peek_row(bytes, sizeof profile, program);
    struct profile view;
    cr_assert(section);
    profile.header.size = sizeof profile;
    cr_assert(profile_view(bytes, sizeof profile, &view));
    return warm_look(&view, section, program, true);
}

/* Of a file whose first page is in memory, and is no longer the one that starts a readahead. */
static void describe(uint32_t index, const char *path)
{
    struct stat status;
    char byte;
    int fd = open(path, O_RDONLY);
    cr_assert_eq(pread(fd, &byte, 1, 0), 1);
    close(fd);
    cr_assert_eq(stat(path, &status), 0);
    profile.files[index].size = (uint64_t)status.st_size;
    profile.files[index].mtime_ns = status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static void set_up(void)
{
    profile.header = (struct profile_header){.executable_count = 1,
                                             .file_count = 2,
                                             .range_count = 2,
                                             .string_bytes = sizeof profile.strings};
    profile.section =
        (struct profile_executable){.path_hash = profile_hash(program), .range_count = 1};
    profile.ranges[0] = (struct profile_range){.file = 0, .page_count = 1};
    describe(0, program);
    /* What the look itself runs must be in memory first: valgrind may read, to translate it, and
     * that would count as reading the page. */
    look();
}

TestSuite(warm_profile, .init = set_up);

Test(warm_profile, no_build_id_is_longer_than_any)
{
    cr_expect_eq(look(), RESIDENT);
    profile.files[0].mtime_ns--; /* and has another path */
    profile.files[0].build_id_bytes = 4096;
    cr_expect_eq(look(), RESIDENCY_UNKNOWN);
}

/* What ends before the page that is wanted would be taken for a file that is not in memory. */
Test(warm_profile, only_absolute_paths_are_looked_at)
{
    char *path = profile.strings;
    int length = snprintf(path, sizeof profile.strings, "/proc/self/cwd/");
    char *name = path + length;
    snprintf(name, sizeof profile.strings - (size_t)length, "warm-profile-%d", (int)getpid());
    FILE *file = fopen(name, "w");
    cr_assert(file && fputs("short", file) >= 0 && fclose(file) == 0);
    describe(1, name);
    profile.section.range_count = 2;
    profile.ranges[1] = (struct profile_range){.file = 1, .first_page = 1000, .page_count = 1};
    cr_expect_eq(look(), NOT_RESIDENT);
    profile.files[1].path = (uint32_t)length;
    cr_expect_eq(look(), RESIDENT);
    unlink(name);
}
