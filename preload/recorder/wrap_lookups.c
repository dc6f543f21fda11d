/*
 * wrap_lookups.c: the paths that a program looks up. On a cold start each costs reads of
 * directories and inodes, one after the other; a path that does not exist costs the same. What the
 * loader and libc look up by themselves is not seen here, but in notes.c and libc.c.
 */
#include "recorder/next.h"
#include "recorder/notes.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Found by name only: not every libc declares them. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
int __xstat(int version, const char *path, struct stat *out);
int __xstat64(int version, const char *path, struct stat64 *out);
int __lxstat(int version, const char *path, struct stat *out);
int __lxstat64(int version, const char *path, struct stat64 *out);
int __fxstatat(int version, int directory, const char *path, struct stat *out, int flags);
int __fxstatat64(int version, int directory, const char *path, struct stat64 *out, int flags);
ssize_t __readlink_chk(const char *path, char *out, size_t bytes, size_t room);
char *__realpath_chk(const char *path, char *out, size_t room);

/* Wraps a call that answers -1 when it fails. */
#define LOOKUP_CALL(type, name, parameters, arguments, directory, path)                            \
    RECORD_API type name parameters                                                                \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        type result = next ? next arguments : (type)record_result(-ENOSYS);                        \
        record_lookup(directory, path, result == -1);                                              \
        return result;                                                                             \
    }

// clang-format off
LOOKUP_CALL(int, stat, (const char *path, struct stat *out), (path, out), AT_FDCWD, path)
LOOKUP_CALL(int, stat64, (const char *path, struct stat64 *out), (path, out), AT_FDCWD, path)
LOOKUP_CALL(int, lstat, (const char *path, struct stat *out), (path, out), AT_FDCWD, path)
LOOKUP_CALL(int, lstat64, (const char *path, struct stat64 *out), (path, out), AT_FDCWD, path)
LOOKUP_CALL(int, fstatat, (int directory, const char *path, struct stat *out, int flags),
            (directory, path, out, flags), directory, path)
LOOKUP_CALL(int, fstatat64, (int directory, const char *path, struct stat64 *out, int flags),
            (directory, path, out, flags), directory, path)
LOOKUP_CALL(int, statx, (int directory, const char *path, int flags, unsigned mask,
                         struct statx *out),
            (directory, path, flags, mask, out), directory, path)
LOOKUP_CALL(int, __xstat, (int version, const char *path, struct stat *out),
            (version, path, out), AT_FDCWD, path)
LOOKUP_CALL(int, __xstat64, (int version, const char *path, struct stat64 *out),
            (version, path, out), AT_FDCWD, path)
LOOKUP_CALL(int, __lxstat, (int version, const char *path, struct stat *out),
            (version, path, out), AT_FDCWD, path)
LOOKUP_CALL(int, __lxstat64, (int version, const char *path, struct stat64 *out),
            (version, path, out), AT_FDCWD, path)
LOOKUP_CALL(int, __fxstatat, (int version, int directory, const char *path, struct stat *out,
                              int flags),
            (version, directory, path, out, flags), directory, path)
LOOKUP_CALL(int, __fxstatat64, (int version, int directory, const char *path, struct stat64 *out,
                                int flags),
            (version, directory, path, out, flags), directory, path)
LOOKUP_CALL(int, access, (const char *path, int mode), (path, mode), AT_FDCWD, path)
LOOKUP_CALL(int, eaccess, (const char *path, int mode), (path, mode), AT_FDCWD, path)
LOOKUP_CALL(int, euidaccess, (const char *path, int mode), (path, mode), AT_FDCWD, path)
LOOKUP_CALL(int, faccessat, (int directory, const char *path, int mode, int flags),
            (directory, path, mode, flags), directory, path)
LOOKUP_CALL(ssize_t, readlink, (const char *path, char *out, size_t bytes),
            (path, out, bytes), AT_FDCWD, path)
LOOKUP_CALL(ssize_t, readlinkat, (int directory, const char *path, char *out, size_t bytes),
            (directory, path, out, bytes), directory, path)
LOOKUP_CALL(ssize_t, __readlink_chk, (const char *path, char *out, size_t bytes, size_t room),
            (path, out, bytes, room), AT_FDCWD, path)
LOOKUP_CALL(int, chdir, (const char *path), (path), AT_FDCWD, path)
LOOKUP_CALL(int, __open_2, (const char *path, int flags), (path, flags), AT_FDCWD, path)
LOOKUP_CALL(int, __open64_2, (const char *path, int flags), (path, flags), AT_FDCWD, path)
LOOKUP_CALL(int, __openat_2, (int directory, const char *path, int flags),
            (directory, path, flags), directory, path)
LOOKUP_CALL(int, __openat64_2, (int directory, const char *path, int flags),
            (directory, path, flags), directory, path)
// clang-format on

/* What is created is not there at the next start; and its name may be another one then. */
static void note_open(int directory, const char *path, int flags, int fd)
{
    if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
        record_lookup(directory, path, fd == -1);
}

/* The mode stands behind the flags or nowhere; handing it on when nobody looks is harmless. */
#define OPEN_CALL(name, parameters, directory, path)                                               \
    RECORD_API int name(OPEN_UNPACK parameters, int flags, ...)                                    \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        mode_t mode = 0;                                                                           \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                                 \
            va_list rest;                                                                          \
            va_start(rest, flags);                                                                 \
            mode = va_arg(rest, mode_t);                                                           \
            va_end(rest);                                                                          \
        }                                                                                          \
        int fd = next ? OPEN_NEXT_##directory(path, flags, mode) : (int)record_result(-ENOSYS);    \
        note_open(directory, path, flags, fd);                                                     \
        return fd;                                                                                 \
    }
#define OPEN_UNPACK(...)                            __VA_ARGS__
#define OPEN_NEXT_AT_FDCWD(path, flags, mode)       next(path, flags, mode)
#define OPEN_NEXT_from_directory(path, flags, mode) next(from_directory, path, flags, mode)

OPEN_CALL(open, (const char *path), AT_FDCWD, path)
OPEN_CALL(open64, (const char *path), AT_FDCWD, path)
OPEN_CALL(openat, (int from_directory, const char *path), from_directory, path)
OPEN_CALL(openat64, (int from_directory, const char *path), from_directory, path)

RECORD_API char *realpath(const char *path, char *out)
{
    RECORD_NEXT(realpath);
    char *result = next ? next(path, out) : NULL;
    record_lookup(AT_FDCWD, path, !result);
    return result;
}

RECORD_API char *__realpath_chk(const char *path, char *out, size_t room)
{
    RECORD_NEXT(__realpath_chk);
    char *result = next ? next(path, out, room) : NULL;
    record_lookup(AT_FDCWD, path, !result);
    return result;
}

/* A socket in the file system is found like any file. */
RECORD_API int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    RECORD_NEXT(connect);
    int result = next ? next(fd, to, length) : (int)record_result(-ENOSYS);
    const struct sockaddr_un *name = (const void *)to;
    if (length <= offsetof(struct sockaddr_un, sun_path) + 1 || length > sizeof *name)
        return result;
    /* To the kernel each half is a text that names no file. */
    if (result == -1 && (!record_may_look_at(AT_FDCWD, (const char *)to) ||
                         !record_may_look_at(AT_FDCWD, name->sun_path)))
        return result;
    if (name->sun_family != AF_UNIX || name->sun_path[0] != '/')
        return result;
    /* The name need not be terminated. */
    char path[sizeof name->sun_path + 1];
    size_t bytes = length - offsetof(struct sockaddr_un, sun_path), i = 0;
    for (; i < bytes && name->sun_path[i]; i++)
        path[i] = name->sun_path[i];
    path[i] = '\0';
    record_lookup(AT_FDCWD, path, false);
    return result;
}
