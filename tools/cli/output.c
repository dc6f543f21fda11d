/*
 * output.c: writes a result to whatever its path leads to.
 *
 * A regular file is written under a temporary name beside it, synced, and renamed, so that nobody
 * ever sees half of it. Where that would give the file another owner, or cannot be done (the folder
 * is closed, a container has mounted the file itself), it is written in place, once the room for it
 * is certain.
 */
#include "cli/output.h"

#include "base/text.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 }; /* that the kernel follows */

/* ---- what a path leads to ---------------------------------------------------------------------
 */

/*
 * The descriptor that the path is another name of, or -1. To open /dev/stdout would start a regular
 * file from its beginning, and fails for a socket.
 */
static int descriptor_of(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "-") == 0)
        return STDOUT_FILENO;
    for (int fd = 0; fd < 3; fd++)
        if (strcmp(path, names[fd]) == 0)
            return fd;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *number = text_after(path, folders[i]);
        uint64_t fd;
        if (number && text_is_number(number, 0, INT_MAX, &fd))
            return (int)fd;
    }
    return -1;
}

bool output_is_standard(const char *path)
{
    return descriptor_of(path) == STDOUT_FILENO;
}

const char *output_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

/* The path behind all symbolic links, whether something is there or not; the caller's to free. */
static char *follow_links(const char *path)
{
    char *at = xstrdup(path);
    for (int links = 0; links < MOST_LINKS; links++) {
        char target[PATH_MAX];
        ssize_t length = readlink(at, target, sizeof target - 1);
        if (length <= 0)
            break;
        target[length] = '\0';
        const char *slash = strrchr(at, '/');
        char *next = target[0] == '/' || !slash
                         ? xstrdup(target)
                         : xasprintf("%.*s/%s", (int)(slash - at), at, target);
        free(at);
        at = next;
    }
    return at;
}

/* The caller's to free. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash          ? xstrdup(".")
           : slash == path ? xstrdup("/")
                           : xasprintf("%.*s", (int)(slash - path), path);
}

/* ---- before the work --------------------------------------------------------------------------
 */

/* Whether a file can be made beside it: to root all folders seem open. Returns 0 or an errno. */
static int try_beside(const char *path)
{
    char *temporary = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC), error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
        unlink(temporary);
    }
    free(temporary);
    return error;
}

static int try_in_place(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static void check_descriptor(const char *path, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        fail(EXIT_FAILED, "%s: it is not open for writing; name a file", output_name(path));
}

static void check_new(const char *path)
{
    char *file = follow_links(path), *folder = folder_of(file);
    int error = access(folder, F_OK) == 0 ? try_beside(file) : errno;
    if (error == ENOENT && access(folder, F_OK) != 0) {
        char *parent = folder_of(folder);
        error = access(parent, W_OK | X_OK) == 0 ? 0 : errno;
        if (error == ENOENT)
            fail(EXIT_FAILED, "%s: there is no folder %s; make it, or name another file", path,
                 parent);
        free(parent);
    }
    if (error)
        fail(EXIT_FAILED, "%s: cannot write into %s: %s; name a file elsewhere", path, folder,
             strerror(error));
    free(folder);
    free(file);
}

void output_check(const char *path)
{
    struct stat status;
    int fd = descriptor_of(path);
    size_t length = strlen(path);
    if (fd >= 0) {
        check_descriptor(path, fd);
    } else if (stat(path, &status) != 0) {
        if (errno != ENOENT)
            fail(EXIT_FAILED, "%s: %s; name a file elsewhere", path, strerror(errno));
        if (!length || path[length - 1] == '/')
            fail(EXIT_FAILED, "'%s' is no name of a file", path);
        check_new(path);
    } else if (S_ISDIR(status.st_mode) || S_ISSOCK(status.st_mode)) {
        fail(EXIT_FAILED, "%s: is a %s, not a file; name another one", path,
             S_ISDIR(status.st_mode) ? "folder" : "socket");
    } else if (S_ISREG(status.st_mode)) {
        char *file = follow_links(path);
        int error = try_beside(file);
        if (error && try_in_place(path) != 0)
            fail(EXIT_FAILED, "%s: cannot write it: %s; name a file elsewhere", path,
                 strerror(error));
        free(file);
    } else if (access(path, W_OK) != 0) {
        fail(EXIT_FAILED, "%s: cannot write it: %s; name a file elsewhere", path, strerror(errno));
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* These return 0 or an errno. */
static int end_writing(int fd, int error)
{
    if (!error && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        error = errno; /* what is no disk's cannot be synced */
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

static int write_through(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? errno : end_writing(fd, -write_all(fd, bytes, size));
}

static int write_in_place(const char *path, off_t size_before, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = size ? posix_fallocate(fd, 0, (off_t)size) : 0;
    if (error == EOPNOTSUPP || error == EINVAL)
        error = 0;
    if (error) {
        int unused = ftruncate(fd, size_before);
        (void)unused;
    } else {
        error = -write_all(fd, bytes, size);
    }
    if (!error && ftruncate(fd, (off_t)size) != 0)
        error = errno;
    return end_writing(fd, error);
}

/* As the file was before, or as a new one; false if this process may not give files away so. */
static bool take_over(int fd, const struct stat *before)
{
    struct stat now;
    mode_t mask = umask(0);
    umask(mask);
    if (!before)
        return fchmod(fd, 0666 & ~mask) == 0;
    if (fstat(fd, &now) != 0)
        return false;
    return ((now.st_uid == before->st_uid && now.st_gid == before->st_gid) ||
            fchown(fd, before->st_uid, before->st_gid) == 0) &&
           fchmod(fd, before->st_mode & 07777) == 0;
}

/* Puts a new file in the place of `path`; *in_place if only its content can be replaced. */
static int replace(const char *path, const struct stat *before, const void *bytes, size_t size,
                   bool *in_place)
{
    char *temporary = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC), error = fd < 0 ? errno : 0;
    *in_place = before && (error == EACCES || error == EPERM || error == EROFS);
    if (!error) {
        *in_place = !take_over(fd, before) && before;
        error = end_writing(fd, *in_place ? EPERM : -write_all(fd, bytes, size));
        if (!error && rename(temporary, path) != 0) {
            error = errno;
            *in_place = before && (error == EBUSY || error == EPERM || error == EACCES);
        }
        if (error)
            unlink(temporary);
    }
    free(temporary);
    return error;
}

static int write_file(const char *path, const struct stat *before, const void *bytes, size_t size)
{
    struct stat behind;
    bool in_place;
    char *file = follow_links(path);
    /* A link of /proc may name what has been deleted since. */
    bool is_there = !before || (stat(file, &behind) == 0 && behind.st_dev == before->st_dev &&
                                behind.st_ino == before->st_ino);
    char *folder = folder_of(file);
    if (!before && access(folder, F_OK) != 0)
        mkdir(folder, 0777);
    int error = 0;
    if (is_there)
        error = replace(file, before, bytes, size, &in_place);
    if (!is_there || in_place)
        error = write_in_place(path, before ? before->st_size : 0, bytes, size);
    free(folder);
    free(file);
    return error;
}

bool output_write(const char *path, const void *bytes, size_t size)
{
    struct stat status;
    int fd = descriptor_of(path), error;
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error like others */
    if (fd >= 0)
        error = -write_all(fd, bytes, size);
    else if (stat(path, &status) != 0)
        error = errno == ENOENT ? write_file(path, NULL, bytes, size) : errno;
    else
        error = S_ISREG(status.st_mode) ? write_file(path, &status, bytes, size)
                                        : write_through(path, bytes, size);
    if (error)
        warn("%s: cannot write it: %s", output_name(path), strerror(error));
    return !error;
}
