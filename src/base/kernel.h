/*
 * kernel.h: the system calls that only the recorder makes, beside those of sys.h. They return a
 * value or -errno and never touch errno: they run between a program's own call and its look at
 * errno, in signal handlers, and between vfork and exec.
 */
#ifndef CB_KERNEL_H
#define CB_KERNEL_H

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

static inline long kernel_read(int fd, void *buffer, size_t bytes)
{
    long n;
    do
        n = cb_syscall6(SYS_read, fd, (long)buffer, (long)bytes, 0, 0, 0);
    while (n == -EINTR);
    return n;
}

static inline long kernel_position(int fd)
{
    return cb_syscall6(SYS_lseek, fd, 0, 1 /* SEEK_CUR */, 0, 0, 0);
}

static inline int kernel_stat(const char *path, struct stat *status)
{
    return (int)cb_syscall6(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, 0, 0, 0);
}

static inline int kernel_fstat(int fd, struct stat *status)
{
    return (int)cb_syscall6(SYS_fstat, fd, (long)status, 0, 0, 0, 0);
}

static inline void kernel_clock(clockid_t clock, struct timespec *now)
{
    cb_syscall6(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0);
}

static inline void *kernel_mmap(size_t bytes, int protection, int flags, int fd)
{
    long result = cb_syscall6(SYS_mmap, 0, (long)bytes, protection, flags, fd, 0);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

static inline int kernel_madvise(void *address, size_t bytes, int advice)
{
    return (int)cb_syscall6(SYS_madvise, (long)address, (long)bytes, advice, 0, 0, 0);
}

static inline void kernel_sleep(long ns)
{
    struct timespec time = {.tv_nsec = ns};
    cb_syscall6(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

extern unsigned long getauxval(unsigned long type) __attribute__((weak));

static inline uint64_t kernel_page_bytes(void)
{
    return getauxval ? getauxval(6 /* AT_PAGESZ */) : 4096;
}

#endif
