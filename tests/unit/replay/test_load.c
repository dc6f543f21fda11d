#include "replay/load.h"

#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loaded_profile loaded;
static char path[] = "load-XXXXXX";
static uint8_t *bytes;
static size_t size;

static void remove_file(void)
{
    unlink(path);
}

TestSuite(load, .fini = remove_file);

/* A good profile with so many files, and what may stand behind it. */
static void make(unsigned files, size_t extra_bytes)
{
    struct profile_writer *writer = profile_writer_new(1000, 1700000000);
    struct profile_file file = {.size = 1, .mtime_ns = 1};
    for (unsigned i = 0; i < files; i++)
        profile_writer_add_file(writer, "/usr/lib/a-file", &file);
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    ((struct profile_header *)(void *)bytes)->extra_bytes = (uint32_t)extra_bytes;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    cr_assert_eq(ftruncate(fd, (off_t)(size + extra_bytes)), 0);
    close(fd);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    cr_assert(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

Test(load, a_short_profile_is_its_first_page)
{
    int before = open_descriptors();
    make(3, 10000);
    cr_assert_eq(profile_load_page(path, &loaded), 0);
    cr_expect_eq(open_descriptors(), before, "there is nothing more to read");
    cr_expect_eq(loaded.bytes, loaded.page);
    cr_expect_eq(loaded.size, size, "without what stands behind it");
    cr_assert_eq(profile_load_rest(&loaded, false), 0);
    cr_expect_arr_eq(loaded.bytes, bytes, size);
    profile_unload(&loaded);
    cr_expect_null(loaded.bytes);
}

static void expect_all(bool for_long)
{
    int before = open_descriptors();
    cr_assert_eq(profile_load_page(path, &loaded), 0);
    cr_expect_eq(loaded.size, LOAD_PAGE_BYTES);
    cr_expect_eq(open_descriptors(), before + 1);
    cr_assert_eq(profile_load_rest(&loaded, for_long), 0);
    cr_expect_eq(open_descriptors(), before);
    cr_expect_eq(loaded.size, size);
    cr_expect_arr_eq(loaded.bytes, bytes, size);
    profile_unload(&loaded);
    profile_unload(&loaded); /* once more */
}

Test(load, of_a_long_one_the_rest_is_read_when_it_is_wanted)
{
    make(1000, 0);
    expect_all(false);
    expect_all(true);
    int before = open_descriptors();
    cr_assert_eq(profile_load_page(path, &loaded), 0);
    profile_unload(&loaded);
    cr_expect_eq(open_descriptors(), before, "it was not wanted");
}

Test(load, what_has_been_cut_short_meanwhile_has_another_size)
{
    make(1000, 0);
    cr_assert_eq(profile_load_page(path, &loaded), 0);
    cr_assert_eq(truncate(path, (off_t)size - 1), 0);
    cr_assert_eq(profile_load_rest(&loaded, false), 0);
    cr_expect_eq(loaded.size, size - 1);
    struct profile profile;
    cr_expect_eq(profile_parse(loaded.bytes, loaded.size, &profile), -EMSGSIZE);
    profile_unload(&loaded);
}

Test(load, refuses_what_is_no_profile)
{
    int before = open_descriptors();
    make(1000, 0);
    cr_assert_eq(truncate(path, (off_t)size - 1), 0);
    cr_expect_eq(profile_load_page(path, &loaded), -EMSGSIZE, "another size than it says");
    cr_assert_eq(truncate(path, 3), 0);
    cr_expect_eq(profile_load_page(path, &loaded), -ENOEXEC, "no header");
    cr_expect_eq(profile_load_page(".", &loaded), -EINVAL, "a folder");
    cr_assert_eq(symlink("/etc/passwd", "load-link"), 0);
    cr_expect_eq(profile_load_page("load-link", &loaded), -EINVAL, "a link");
    cr_assert_eq(unlink("load-link"), 0);
    cr_expect_eq(profile_load_page("no/such/file", &loaded), -ENOENT);
    cr_expect_null(loaded.bytes);
    cr_expect_eq(open_descriptors(), before);
}
