/*
 * generic/syscall.h: the kernel through the C library, for architectures without code of their own.
 *
 * syscall() is a weak reference, like all undefined symbols of the preloaded object; without it
 * every call answers -ENOSYS. There is no raw thread here: the replay then runs
 * before the program goes on (COLDBOOST_MODE=sync).
 */
#pragma once

#include <errno.h>
#include <sys/syscall.h>

#define CB_HAVE_RAW_THREAD 0

extern long syscall(long number, ...) __attribute__((weak));
extern int *__errno_location(void) __attribute__((weak));

static inline long cb_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
    if (!syscall || !__errno_location)
        return -ENOSYS;
    int *error = __errno_location();
    int saved = *error;
    long result = syscall(number, a, b, c, d, e, f);
    if (result == -1)
        result = -*error;
    *error = saved;
    return result;
}
