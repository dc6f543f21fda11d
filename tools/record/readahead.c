/*
 * readahead.c: a guardian process turns readahead off, waits until the pipe to the recording
 * closes, and puts readahead back. It does nothing else, so that nothing can keep it from doing
 * that; but both can be killed at once (a cgroup's end, out of memory). The old values then stand
 * in a file, from which the next recording puts them back before it looks at anything.
 */
#include "record/readahead.h"

#include "base/sys.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES "/sys/class/bdi"
#define SETTING "read_ahead_kb"

/* Gone after a restart of the machine, as what it remembers is; no one but root writes there. */
#define REMEMBERED "/run/coldboost-readahead"

enum { VALUE_BYTES = 32 };

static pid_t guardian;
static int leash = -1; /* our end of the pipe: closed by the kernel at the latest */

/*
 * Two recordings at a time would take each other's 0 for the value to put back. Returns a
 * descriptor that keeps others out while it is open; -1 if there is another recording.
 */
static int become_first(void)
{
    int fd = open(DEVICES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Lines of "PATH VALUE", the value with its newline. False if there is no place for them. */
static bool remember(char *const *paths, char (*values)[VALUE_BYTES], size_t count)
{
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(REMEMBERED, flags, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    for (size_t i = 0; file && i < count; i++)
        fprintf(file, "%s %s", paths[i], values[i]);
    return file && fclose(file) == 0;
}

/*
 * Puts back what a recording that was killed has left. Whoever has set a device to something else
 * meanwhile has the last word. Only for the first.
 */
static void heal(void)
{
    char line[sizeof DEVICES + NAME_MAX + sizeof SETTING + VALUE_BYTES], now[VALUE_BYTES];
    FILE *file = fopen(REMEMBERED, "re");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ' ');
        if (!value || strncmp(line, DEVICES "/", sizeof DEVICES) != 0)
            continue;
        *value++ = '\0';
        if (sys_read_text(line, now, sizeof now) && strcmp(now, "0\n") == 0)
            write_setting(line, value);
    }
    if (file)
        fclose(file);
    unlink(REMEMBERED);
}

static _Noreturn void guard(int ready, int end)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    glob_t devices = {0};
    char(*before)[VALUE_BYTES] = NULL;
    size_t count = 0, changed = 0;
    if (become_first() >= 0) { /* until the end */
        heal();
        if (glob(DEVICES "/*/" SETTING, 0, NULL, &devices) == 0)
            before = xmalloc(devices.gl_pathc * sizeof *before);
    }
    for (size_t i = 0; before && i < devices.gl_pathc; i++)
        if (sys_read_text(devices.gl_pathv[i], before[count], sizeof *before))
            devices.gl_pathv[count++] = devices.gl_pathv[i];
    if (count && !remember(devices.gl_pathv, before, count))
        unlink(REMEMBERED); /* it is nowhere, or half a list */
    for (size_t i = 0; i < count; i++)
        changed += write_setting(devices.gl_pathv[i], "0");

    char answer = changed > 0;
    ssize_t n = write(ready, &answer, 1);
    while (n > 0 && (n = read(end, &answer, 1)) != 0)
        if (n < 0 && errno != EINTR)
            break;
    for (size_t i = 0; i < count; i++)
        write_setting(devices.gl_pathv[i], before[i]);
    if (count)
        unlink(REMEMBERED);
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
    int first = become_first();
    if (first >= 0) {
        heal(); /* in case that somebody has killed the guardian alone */
        close(first);
    }
}
