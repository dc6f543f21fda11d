#include "base/objects.h"

static int pretended_visit(int (*visit)(const struct object *object, void *context), void *context);

/* What is loaded is pretended where the files of it matter. */
#define objects_visit pretended_visit
#include "replay/blind.c"
#undef objects_visit

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const ElfW(Phdr) headers[] = {
    {.p_type = PT_NOTE, .p_vaddr = 0, .p_filesz = 1 << 30},
    {.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = 0x2f800, .p_memsz = 0x90000},
};
static const struct object object = {.base = 0x7f0000000000, .headers = headers, .header_count = 2};

static void expect_window(uintptr_t address, uintptr_t from, uintptr_t to)
{
    uintptr_t found_from, found_to;
    cr_assert(blind_window(&object, object.base + address, &found_from, &found_to));
    cr_expect_eq(found_from - object.base, from, "%zx: from %zx", address, found_from);
    cr_expect_eq(found_to - object.base, to, "%zx: to %zx", address, found_to);
}

Test(blind, windows_are_aligned_and_end_with_the_segment)
{
    expect_window(0x1000, 0x1000, 0x10000);
    expect_window(0xffff, 0x1000, 0x10000);
    expect_window(0x10000, 0x10000, 0x20000);
    expect_window(0x30000, 0x30000, 0x30800);
}

Test(blind, there_is_no_window_where_no_file_is)
{
    static const uintptr_t addresses[] = {0, 0xfff, 0x30800, 0x90000, UINTPTR_MAX / 2};
    uintptr_t from, to;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        cr_expect_not(blind_window(&object, object.base + addresses[i], &from, &to), "%zu", i);
}

Test(blind, keeps_within_its_budget)
{
    struct blind_result all = blind_page_in(BUDGET_BY_MEMORY);
    cr_expect_gt(all.ranges, 1, "every libc has initialisers, and so has this program");
    cr_expect_gt(all.bytes, 0);
    cr_expect_leq(all.bytes, BLIND_BUDGET_BYTES);
    cr_expect_eq(blind_page_in(0).ranges, 0);
    struct blind_result few = blind_page_in(all.bytes - 1);
    cr_expect_lt(few.ranges, all.ranges);
    cr_expect_lt(few.bytes, all.bytes);
}

/* Copies of this program in the working folder, of which only the first page has been mapped. */
enum { OBJECTS = 3 };
static char paths[OBJECTS][32];
static bool is_pretended;

static int pretended_visit(int (*visit)(const struct object *object, void *context), void *context)
{
    static const ElfW(Phdr) code[] = {
        {.p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0, .p_filesz = 0x1000},
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0x1000, .p_filesz = 0x2000}};
    int answer = 0;
    if (!is_pretended)
        return objects_visit(visit, context);
    for (int i = 0; i < OBJECTS && answer == 0; i++) {
        struct object copy = {
            .headers = code, .header_count = 2, .path = i ? paths[i] : "" /* the executable */};
        answer = visit(&copy, context);
    }
    return answer;
}

static void make_copies(void)
{
    static const char pages[0x4000] = "pages";
    is_pretended = true;
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(paths[i], sizeof paths[i], "/proc/self/cwd/blind-%d", i);
        int fd = open(paths[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(write(fd, pages, sizeof pages), (ssize_t)sizeof pages);
        cr_assert_eq(fsync(fd), 0);
        close(fd);
    }
    blind_is_warm(paths[0]); /* so that its own code is in memory */
}

static void remove_copies(void)
{
    for (int i = 0; i < OBJECTS; i++)
        unlink(paths[i]);
}

/* All but the page in the middle of the code. */
static void evict(int i)
{
    static char page[4096];
    int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
    cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
    for (off_t at = 0; at < 0x4000; at += 4096)
        if (at != 0x2000)
            cr_assert_eq(pread(fd, page, sizeof page, at), 4096);
    close(fd);
}

Test(blind, a_start_is_warm_if_the_code_of_the_first_objects_is_in_memory, .init = make_copies,
     .fini = remove_copies)
{
    cr_expect(blind_is_warm(paths[0]));
    evict(OBJECTS - 1);
    cr_expect(blind_is_warm(paths[0]), "it is not among the first");
    cr_expect_not(blind_is_warm("/no/such/executable"), "it is among them then");
    evict(1);
    cr_expect_not(blind_is_warm(paths[0]), "a library is not");
    char byte;
    int fd = open(paths[1], O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(fd, &byte, 1, 0x2000), 1);
    close(fd);
    cr_expect(blind_is_warm(paths[0]));
    evict(0);
    cr_expect_not(blind_is_warm(paths[0]), "the executable is not");
}
