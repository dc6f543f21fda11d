#include "replay/residency.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PAGES = 4, PAGE = 4096 };
static int file;

/* Of our own, in the working folder, and in memory no more. */
static void set_up(void)
{
    static const char page[PAGE] = "page";
    char name[] = "residency-XXXXXX";
    file = mkstemp(name);
    cr_assert_geq(file, 0);
    unlink(name);
    for (int i = 0; i < PAGES; i++)
        cr_assert_eq(write(file, page, sizeof page), PAGE);
    cr_assert_eq(fsync(file), 0);
    file_page_is_resident(file, 0); /* so that its own code is in memory */
    cr_assert_eq(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    cr_assert_eq(posix_fadvise(file, 0, 0, POSIX_FADV_RANDOM), 0);
}

TestSuite(residency, .init = set_up);

static void touch(off_t page)
{
    char byte;
    cr_assert_eq(pread(file, &byte, 1, page * PAGE), 1);
}

Test(residency, is_told_page_by_page)
{
    cr_expect_not(file_page_is_resident(file, 3 * PAGE));
    touch(2);
    cr_expect(file_page_is_resident(file, 2 * PAGE));
    cr_expect(file_page_is_resident(file, 3 * PAGE - 1), "its last byte");
    cr_expect_not(file_page_is_resident(file, 1 * PAGE));
}

Test(residency, of_what_cannot_be_read_is_denied)
{
    touch(PAGES - 1);
    cr_expect_not(file_page_is_resident(file, PAGES * PAGE), "behind the end");
    cr_expect_not(file_page_is_resident(-1, 0), "no descriptor");
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder, 0);
    cr_expect_not(file_page_is_resident(folder, 0), "a folder");
    close(folder);
}
