/*
 * wrap_ends.c: the calls that end a recording: the program ends, or installs a filter.
 */
#include "base/sys.h"
#include "recorder/lifetime.h"
#include "recorder/next.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ---- filters: they may kill a process for any call that its program does not make itself -------
 */

RECORD_API int prctl(int option, ...)
{
    RECORD_NEXT(prctl);
    va_list list;
    va_start(list, option);
    unsigned long arguments[4];
    for (size_t i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP)
        record_stop();
    return next ? next(option, arguments[0], arguments[1], arguments[2], arguments[3])
                : (int)record_result(-ENOSYS);
}

/* Of libseccomp, which makes the system call itself. */
int seccomp_load(void *filter);

RECORD_API int seccomp_load(void *filter)
{
    RECORD_NEXT(seccomp_load);
    record_stop();
    return next ? next(filter) : -ENOSYS;
}

/* ---- ends ----------------------------------------------------------------------------------- */

static _Noreturn void leave(int status)
{
    record_exit();
    sys_exit(status);
}

RECORD_API void _exit(int status)
{
    leave(status);
}

RECORD_API void _Exit(int status)
{
    leave(status);
}

RECORD_API void quick_exit(int status)
{
    RECORD_NEXT(quick_exit);
    record_exit();
    if (next)
        next(status);
    leave(status);
}
