/*
 * wrap_exec.c: children and other programs. A program may hand on an environment of its own, so
 * the two variables that carry the recording are put back; and exec ends an image, so its pages are
 * noted before. Works between vfork and exec: memory comes from the stack.
 */
#include "recorder/recorder.h"

#include "base/sys.h"
#include "base/text.h"
#include "trace/format.h"

#include <linux/limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <unistd.h>

#define OBJECT  "libcoldboost-record.so"
#define PRELOAD "LD_PRELOAD="

/* Copies: a program may overwrite the memory of its environment with its title. */
static char trace_entry[PATH_MAX];   /* TRACE_VARIABLE=path */
static char preload_entry[PATH_MAX]; /* LD_PRELOAD=path of this object, nothing else */

static size_t length_of(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

/* The value of the entry if it is NAME=value; name ends in '='. */
static const char *value_of(const char *entry, const char *name)
{
    for (; *name; name++, entry++)
        if (*entry != *name)
            return NULL;
    return entry;
}

static const char *find_value(char *const *environment, const char *name)
{
    for (; environment && *environment; environment++) {
        const char *value = value_of(*environment, name);
        if (value)
            return value;
    }
    return NULL;
}

/* Where this object stands in a list of preloaded objects; *length is that of its path. */
static const char *find_object(const char *list, size_t *length)
{
    while (list && *list) {
        size_t n = 0;
        while (list[n] && list[n] != ':' && list[n] != ' ')
            n++;
        size_t tail = sizeof OBJECT - 1;
        if (n >= tail && bytes_equal(list + n - tail, OBJECT, tail)) {
            *length = n;
            return list;
        }
        list += n + (list[n] != '\0');
    }
    return NULL;
}

static char *append(char *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *to++ = text[i];
    *to = '\0';
    return to;
}

void record_remember_environment(char *const *given, const char **trace_path)
{
    size_t length;
    const char *path = find_value(given, TRACE_VARIABLE "=");
    const char *object = find_object(find_value(given, PRELOAD), &length);
    *trace_path = NULL;
    if (!path || !object || length_of(path) + sizeof TRACE_VARIABLE + 1 > sizeof trace_entry ||
        length + sizeof PRELOAD > sizeof preload_entry)
        return;
    char *next = append(trace_entry, TRACE_VARIABLE "=", sizeof TRACE_VARIABLE);
    append(next, path, length_of(path));
    append(append(preload_entry, PRELOAD, sizeof PRELOAD - 1), object, length);
    *trace_path = next;
}

size_t record_environment_bytes(char *const *given)
{
    size_t length, count = 0;
    const char *trace = find_value(given, TRACE_VARIABLE "=");
    const char *preload = find_value(given, PRELOAD);
    if (!trace_entry[0] || (trace && find_object(preload, &length)))
        return 0;
    while (given && given[count])
        count++;
    return (count + 3) * sizeof *given + length_of(preload_entry) + 1 +
           (preload ? length_of(preload) : 0) + 1;
}

char **record_environment(char *const *given, void *room)
{
    const char *preload = find_value(given, PRELOAD);
    char **out = room;
    size_t count = 0;
    for (; given && *given; given++)
        if (!value_of(*given, PRELOAD) && !value_of(*given, TRACE_VARIABLE "="))
            out[count++] = *given;
    out[count++] = trace_entry;
    out[count] = (char *)&out[count + 2];
    char *end = append(out[count], preload_entry, length_of(preload_entry));
    if (preload && *preload)
        append(append(end, ":", 1), preload, length_of(preload));
    out[count + 1] = NULL;
    return out;
}

/* A macro, since the room must be on the caller's stack. */
#define CARRY_ON(environment)                                                                      \
    do {                                                                                           \
        size_t bytes = record_environment_bytes(environment);                                      \
        if (bytes)                                                                                 \
            (environment) = record_environment(environment, __builtin_alloca(bytes));              \
    } while (0)

static char **own_environment(void)
{
    return &environ ? environ : NULL;
}

/* Where execvp() will find it; false if nowhere. */
static bool find_program(const char *file, char *path, size_t room)
{
    const char *folders = find_value(own_environment(), "PATH=");
    for (const char *at = folders ? folders : "/bin:/usr/bin"; *at;) {
        size_t length = 0;
        while (at[length] && at[length] != ':')
            length++;
        if (length + 1 + length_of(file) < room) {
            char *end = append(path, at, length);
            append(append(end, "/", length > 0), file, length_of(file));
            if (sys_may_execute(path))
                return true;
        }
        at += length + (at[length] != '\0');
    }
    return false;
}

static void hand_over_found(const char *file)
{
    char path[PATH_MAX];
    const char *slash = file;
    while (*slash && *slash != '/')
        slash++;
    if (*slash || find_program(file, path, sizeof path))
        record_hand_over(*slash ? file : path);
}

/* ---- exec: between vfork and exec nobody may look for a next definition -----------------------
 */

RECORD_API int execve(const char *path, char *const argv[], char *const envp[])
{
    RECORD_NEXT_IF_KNOWN(execve);
    char *const *environment = envp;
    CARRY_ON(environment);
    record_end();
    record_hand_over(path);
    return next ? next(path, argv, environment)
                : (int)record_result(sys_execute(path, argv, environment));
}

/* glibc has it since 2.34. */
RECORD_API int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    RECORD_NEXT_IF_KNOWN(execveat);
    char *const *environment = envp;
    CARRY_ON(environment);
    record_end();
    return next ? next(fd, path, argv, environment, flags)
                : (int)record_result(cb_syscall6(SYS_execveat, fd, (long)path, (long)argv,
                                                 (long)environment, flags, 0));
}

RECORD_API int fexecve(int fd, char *const argv[], char *const envp[])
{
    RECORD_NEXT(fexecve);
    char *const *environment = envp;
    CARRY_ON(environment);
    record_end();
    return next ? next(fd, argv, environment) : (int)record_result(-ENOSYS);
}

RECORD_API int execvpe(const char *file, char *const argv[], char *const envp[])
{
    RECORD_NEXT(execvpe);
    char *const *environment = envp;
    CARRY_ON(environment);
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
    char *const *environment = envp;
    CARRY_ON(environment);
    return next ? next(pid, path, actions, attributes, argv, environment) : ENOSYS;
}

RECORD_API int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                            const posix_spawnattr_t *attributes, char *const argv[],
                            char *const envp[])
{
    RECORD_NEXT(posix_spawnp);
    char *const *environment = envp;
    CARRY_ON(environment);
    return next ? next(pid, file, actions, attributes, argv, environment) : ENOSYS;
}

/* vfork cannot be wrapped, and need not be: its child is this image until it executes another. */
RECORD_API pid_t fork(void)
{
    RECORD_NEXT(fork);
    pid_t pid = next ? next() : (pid_t)record_result(-ENOSYS);
    if (pid == 0)
        record_attach_child();
    return pid;
}
