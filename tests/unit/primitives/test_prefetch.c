#include "coldboost.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 200u

Test(prefetch, never_faults)
{
    static const uintptr_t anywhere[] = {
        0, 1, 63, 64, 4095, UINTPTR_MAX - 100, UINTPTR_MAX, UINTPTR_MAX / 2 + 1};
    static const size_t sizes[] = {0, 1, 64, 65, 4096, 1u << 20, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof anywhere / sizeof *anywhere; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            prefetch_critical_memory((const void *)anywhere[i], sizes[k]);
}

/* A private mapping of a new file: no page of it is in the page tables yet. */
static uint8_t *map_file(size_t pages, int *fd)
{
    char name[] = "/tmp/coldboost-test-XXXXXX";
    *fd = mkstemp(name);
    cr_assert_geq(*fd, 0);
    unlink(name);
    cr_assert_eq(ftruncate(*fd, (off_t)(pages * PAGE)), 0);
    uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, *fd, 0);
    cr_assert_neq(p, MAP_FAILED);
    return p;
}

/* Whether the page is in this process's page tables: bit 63 of its entry. */
static bool is_mapped(const uint8_t *p)
{
    static int fd = -1;
    if (fd < 0)
        fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;
    cr_assert_eq(pread(fd, &entry, sizeof entry, (off_t)((uintptr_t)p / PAGE * sizeof entry)),
                 sizeof entry);
    return entry >> 63;
}

static void check_pages_come_in(void)
{
    int fd;
    uint8_t *p = map_file(PAGES, &fd);
    cr_assert_not(is_mapped(p + 10 * PAGE));
    cr_assert_eq(coldboost_page_in(p + 10 * PAGE + 4095, 2), 0);
    cr_assert(is_mapped(p + 10 * PAGE));
    cr_assert(is_mapped(p + 11 * PAGE));
    cr_assert_eq(coldboost_page_in(p, PAGES * PAGE), 0);
    for (size_t i = 0; i < PAGES; i++)
        cr_assert(is_mapped(p + i * PAGE), "page %zu", i);
}

static void check_errors(void)
{
    cr_assert_eq(coldboost_page_in(NULL, 0), 0);
    cr_assert_lt(coldboost_page_in((const void *)(uintptr_t)PAGE, 1), 0);
    cr_assert_lt(coldboost_page_in((const void *)(uintptr_t)PAGE, SIZE_MAX), 0);
    cr_assert_lt(coldboost_page_in((const void *)(UINTPTR_MAX - 5), 3), 0);
    int fd;
    uint8_t *p = map_file(PAGES / 2, &fd);
    cr_assert_eq(coldboost_page_in(p, PAGES / 2 * PAGE), 0);
    cr_assert_eq(coldboost_page_in(p, PAGES * PAGE), -EFAULT, "behind the end of its file");
    cr_assert_eq(munmap(p + PAGE, PAGE), 0);
    cr_assert_lt(coldboost_page_in(p, 3 * PAGE), 0, "a hole");
}

/* As Linux before 5.14, which Lambda runs: MADV_POPULATE_READ is not known. */
static void forbid_populate(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 22, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

Test(page_in, brings_pages_in)
{
    check_pages_come_in();
}

Test(page_in, answers_errors)
{
    check_errors();
}

Test(page_in, brings_pages_in_on_older_kernels)
{
    forbid_populate();
    check_pages_come_in();
}

Test(page_in, answers_errors_on_older_kernels)
{
    forbid_populate();
    check_errors();
}
