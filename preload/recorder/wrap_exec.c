/*
 * wrap_exec.c: children and other programs, which are to be recorded too. exec ends an image, so
 * its pages are noted before. Works between vfork and exec: memory comes from the stack.
 */
#include "base/search_path.h"
#include "base/sys.h"
#include "base/text.h"
#include "recorder/carry.h"
#include "recorder/lifetime.h"
#include "recorder/next.h"
#include "recorder/state.h"
#include "trace/image.h"
#include "trace/watched.h"

#include <linux/limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

/* Declares `environment`, the given one or what carries the recording on, on the caller's stack. */
#define CARRY_ON(given)                                                                            \
    size_t carry_bytes = record_environment_bytes(given);                                          \
    char *const *environment =                                                                     \
        carry_bytes ? record_environment(given, __builtin_alloca(carry_bytes)) : (given)

static char **own_environment(void)
{
    return &environ ? environ : NULL;
}

/* Where execvp() will find it; false if nowhere. */
static bool find_program(const char *file, char *path, size_t room)
{
    const char *folders = record_variable(own_environment(), "PATH=");
    return search_path(folders ? folders : "/bin:/usr/bin", file, is_executable_file, path, room);
}

/* This thread is about to execute the program: has it watched from outside if it must be. */
static void hand_over(const char *path)
{
    if (record_process() && !record_trace()->no_tracer && path && image_makes_own_calls(path))
        watched_begin(record_trace());
}

static void hand_over_found(const char *file)
{
    char path[PATH_MAX];
    const char *slash = file;
    while (*slash && *slash != '/')
        slash++;
    if (*slash || find_program(file, path, sizeof path))
        hand_over(*slash ? file : path);
}

/* A shell tries the folders of PATH, one after the other: where there is no file, the image goes
 * on, and so does the recording. */
static void end_at(int folder, const char *path, int flags)
{
    struct stat status;
    if ((flags & AT_EMPTY_PATH) || sys_fstatat(folder, path, &status) == 0)
        record_end();
}

/* ---- exec: between vfork and exec nobody may look for a next definition -----------------------
 */

RECORD_API int execve(const char *path, char *const argv[], char *const envp[])
{
    RECORD_NEXT_IF_KNOWN(execve);
    CARRY_ON(envp);
    end_at(AT_FDCWD, path, 0);
    hand_over(path);
    return next ? next(path, argv, environment)
                : (int)record_result(sys_execute(path, argv, environment));
}

/* glibc has it since 2.34. */
RECORD_API int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    RECORD_NEXT_IF_KNOWN(execveat);
    CARRY_ON(envp);
    end_at(fd, path, flags);
    return next ? next(fd, path, argv, environment, flags)
                : (int)record_result(cb_syscall6(SYS_execveat, fd, (long)path, (long)argv,
                                                 (long)environment, flags, 0));
}

RECORD_API int fexecve(int fd, char *const argv[], char *const envp[])
{
    RECORD_NEXT(fexecve);
    CARRY_ON(envp);
    record_end();
    return next ? next(fd, argv, environment) : (int)record_result(-ENOSYS);
}

RECORD_API int execvpe(const char *file, char *const argv[], char *const envp[])
{
    RECORD_NEXT(execvpe);
    CARRY_ON(envp);
    record_end();
    hand_over_found(file);
    return next ? next(file, argv, environment) : (int)record_result(-ENOSYS);
}

RECORD_API int execv(const char *path, char *const argv[])
{
    return execve(path, argv, own_environment());
}

RECORD_API int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, own_environment());
}

static size_t count_arguments(va_list arguments)
{
    size_t count = 1;
    while (va_arg(arguments, const char *))
        count++;
    return count;
}

/* Makes argv, on the stack, of the first argument and those that follow it up to NULL. */
#define COLLECT(argv, first, list)                                                                 \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    size_t count = count_arguments(list);                                                          \
    va_end(list);                                                                                  \
    const char **argv = __builtin_alloca((count + 1) * sizeof *argv);                              \
    va_start(list, first);                                                                         \
    argv[0] = first;                                                                               \
    for (size_t i = 1; i <= count; i++)                                                            \
    argv[i] = va_arg(list, const char *)

RECORD_API int execl(const char *path, const char *first, ...)
{
    COLLECT(argv, first, list);
    va_end(list);
    return execve(path, (char *const *)(uintptr_t)argv, own_environment());
}

RECORD_API int execlp(const char *file, const char *first, ...)
{
    COLLECT(argv, first, list);
    va_end(list);
    return execvpe(file, (char *const *)(uintptr_t)argv, own_environment());
}

RECORD_API int execle(const char *path, const char *first, ...)
{
    COLLECT(argv, first, list);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, (char *const *)(uintptr_t)argv, environment);
}

/* ---- children ------------------------------------------------------------------------------- */

RECORD_API int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes, char *const argv[],
                           char *const envp[])
{
    RECORD_NEXT(posix_spawn);
    CARRY_ON(envp);
    return next ? next(pid, path, actions, attributes, argv, environment) : ENOSYS;
}

RECORD_API int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                            const posix_spawnattr_t *attributes, char *const argv[],
                            char *const envp[])
{
    RECORD_NEXT(posix_spawnp);
    CARRY_ON(envp);
    return next ? next(pid, file, actions, attributes, argv, environment) : ENOSYS;
}

/* vfork cannot be wrapped, and need not be: its child is this image until it executes another. */
RECORD_API pid_t fork(void)
{
    RECORD_NEXT(fork);
    pid_t pid = next ? next() : (pid_t)record_result(-ENOSYS);
    if (pid == 0)
        record_child();
    return pid;
}
