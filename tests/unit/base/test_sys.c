#include "base/sys.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

/* The layout is our own: every field has a value that no other has. */
static void expect_as_made(int fd, const char *path)
{
    struct sys_status status;
    cr_assert_eq(sys_stat(fd, path, &status), 0);
    cr_assert_eq(status.mode, S_IFREG | 0751, "mode %o", status.mode);
    cr_assert_eq(status.size, 0x123456789, "size %#jx", (uintmax_t)status.size);
    cr_assert_eq(status.mtime_seconds, -77, "%jd s", (intmax_t)status.mtime_seconds);
    cr_assert_eq(status.mtime_nanoseconds, 987654321, "%u ns", status.mtime_nanoseconds);
}

Test(sys, status_is_that_of_the_file)
{
    char folder[] = "status-XXXXXX";
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert(fd >= 0 && symlink("file", "link") == 0);
    const struct timespec times[2] = {{.tv_sec = 55}, {.tv_sec = -77, .tv_nsec = 987654321}};
    cr_assert(fchmod(fd, 0751) == 0 && ftruncate(fd, 0x123456789) == 0);
    cr_assert_eq(futimens(fd, times), 0);

    expect_as_made(fd, "");
    expect_as_made(AT_FDCWD, "file");
    struct sys_status status;
    cr_assert_eq(sys_stat(AT_FDCWD, "link", &status), 0);
    cr_assert(S_ISLNK(status.mode), "mode %o", status.mode);
    cr_assert_eq(sys_stat(AT_FDCWD, "none", &status), -ENOENT);

    close(fd);
    cr_assert(unlink("file") == 0 && unlink("link") == 0);
    cr_assert(chdir("..") == 0 && rmdir(folder) == 0);
}
