/*
 * readahead.c: a guardian process turns readahead off, waits until the pipe to the recording
 * closes, and puts readahead back. It does nothing else, so that nothing can keep it from doing
 * that.
 */
#include "readahead.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES "/sys/class/bdi"

static pid_t guardian;
static int leash = -1; /* our end of the pipe: closed by the kernel at the latest */

static bool read_setting(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);
    if (fd >= 0)
        close(fd);
    if (n > 0)
        text[n] = '\0';
    return n > 0;
}

static bool write_setting(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* Two recordings at a time would take each other's 0 for the value to put back. */
static bool is_first(void)
{
    int fd = open(DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0; /* held until the guardian ends */
}

static _Noreturn void guard(int ready, int end)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    glob_t devices = {0};
    char(*before)[32] = NULL;
    bool *changed = NULL;
    bool off = is_first() && glob(DEVICES "/*/read_ahead_kb", 0, NULL, &devices) == 0;
    if (off) {
        before = xmalloc(devices.gl_pathc * sizeof *before);
        changed = xmalloc(devices.gl_pathc * sizeof *changed);
    }
    for (size_t i = 0; off && i < devices.gl_pathc; i++)
        changed[i] = read_setting(devices.gl_pathv[i], before[i], sizeof *before) &&
                     write_setting(devices.gl_pathv[i], "0");
    size_t count = 0;
    for (size_t i = 0; off && i < devices.gl_pathc; i++)
        count += changed[i];
    off = count > 0;

    char answer = off;
    ssize_t n = write(ready, &answer, 1);
    while (n > 0 && (n = read(end, &answer, 1)) != 0)
        if (n < 0 && errno != EINTR)
            break;
    for (size_t i = 0; off && i < devices.gl_pathc; i++)
        if (changed[i])
            write_setting(devices.gl_pathv[i], before[i]);
    _exit(0);
}

static bool drop_page_cache(void)
{
    sync(); /* dirty pages stay */
    return write_setting("/proc/sys/vm/drop_caches", "1");
}

bool readahead_off(void)
{
    int ready[2], end[2];
    if (geteuid() != 0)
        return false;
    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(end, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    guardian = fork();
    if (guardian < 0)
        fail(EXIT_FAILED, "fork: %s; raise the limit of processes (ulimit -u)", strerror(errno));
    if (guardian == 0) {
        close(ready[0]);
        close(end[1]);
        guard(ready[1], end[0]);
    }
    close(ready[1]);
    close(end[0]);
    leash = end[1];
    char answer = 0;
    bool off = read(ready[0], &answer, 1) == 1 && answer;
    close(ready[0]);
    if (off && drop_page_cache())
        return true;
    readahead_restore();
    return false;
}

void readahead_restore(void)
{
    if (leash < 0)
        return;
    close(leash);
    leash = -1;
    waitpid(guardian, NULL, 0);
}
