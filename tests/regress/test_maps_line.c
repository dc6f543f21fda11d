/*
 * A line of /proc/PID/maps without all its fields was parsed beyond its end, into the next one or
 * into nothing, and the length of its path came out as almost 4 GiB. Found by
 * tests/fuzz/fuzz_pages.c.
 */
#include "trace/pages.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned mappings;

static bool see_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    mappings++;
    cr_expect_eq(mapping->path_length, strlen(mapping->path));
    return false;
}

static void see_no_run(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                       uint64_t page_count)
{
    (void)scan, (void)mapping, (void)first_page, (void)page_count;
    cr_expect_fail("nobody asked for pages");
}

static unsigned scan_text(const char *text)
{
    char path[32];
    int fd = memfd_create("maps", MFD_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct page_scan scan = {
        .maps = path,
        .pagemap = "/proc/self/pagemap",
        .to = UINTPTR_MAX,
        .mapping = see_mapping,
        .run = see_no_run,
        .page_bytes = 4096,
    };
    mappings = 0;
    cr_expect_eq(pages_scan(&scan), 0);
    close(fd);
    return mappings;
}

static const char whole[] = "7f0000000000-7f0000001000 r-xp 00000000 fe:00 77 /lib/a.so\n";

Test(maps_line, may_end_where_a_field_does)
{
    char text[sizeof whole];
    cr_assert_eq(scan_text(whole), 1);
    for (size_t cut = 0; whole[cut] != '/'; cut++) {
        memcpy(text, whole, sizeof text);
        text[cut] = '\n'; /* the next line begins with the rest: whole while it has its dash */
        cr_expect_eq(scan_text(text), strchr(whole, '-') > whole + cut, "%s", text);
    }
}

Test(maps_line, may_be_cut_anywhere)
{
    char text[2 * sizeof whole + 1];
    const size_t path_at = (size_t)(strchr(whole, '/') - whole);
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        snprintf(text, sizeof text, "%.*s\n%s", (int)cut, whole, whole);
        cr_expect_eq(scan_text(text), cut > path_at ? 2 : 1, "%s", text);
    }
}
