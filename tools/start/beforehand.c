/*
 * beforehand.c: two threads, without libc, that share everything with the caller.
 */
#include "start/beforehand.h"

#include "base/resolve.h"
#include "base/sys.h"
#include "cli/installation.h"
#include "start/become.h"
#include "start/program.h"
#include "start/store.h"

#include <sched.h>

/* The largest profile that is read in one piece; most have some 30 KiB. */
#define PROFILE_BYTES (256u << 10)

static const char *installed_as, *object_name, *wanted_path;

static void start(unsigned i, void (*run)(void *))
{
    static uint8_t stacks[2][24 << 10] __attribute__((aligned(16)));
    static char paths[2][PROGRAM_PATH_BYTES];
    cb_clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_UNTRACED,
             stacks[i] + sizeof *stacks, NULL, run, paths[i]);
}

static void look_for_object(void *path)
{
    if (installation_find_object(installed_as, object_name, path))
        become_read_ahead(path, OBJECT_BYTES);
    sys_exit_thread();
}

/* Starts the other thread: clone() takes as long as a wait, and the caller has its own to begin. */
static void look_for_wanted(void *path)
{
    struct sys_status status;
    start(1, look_for_object);
    bool found =
        !store_may_hang(wanted_path) && resolve_path(wanted_path, path, PROGRAM_PATH_BYTES);
    int fd = found ? sys_open_type(path, S_IFREG, &status) : -1;
    if (fd >= 0)
        sys_readahead(fd, 0, PROFILE_BYTES);
    if (fd >= 0)
        sys_close(fd);
    sys_exit_thread();
}

bool look_beforehand(const char *called, const char *object, const char *wanted)
{
    int fd = sys_open_how(wanted, O_PATH, SYS_KNOWN);
    if (fd >= 0)
        sys_close(fd);
    if (fd != -EAGAIN)
        return fd != -EINVAL && fd != -ENOSYS;
    installed_as = called;
    object_name = object;
    wanted_path = wanted;
    start(0, look_for_wanted);
    return true;
}
