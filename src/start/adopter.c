/*
 * adopter.c: tells an init from an application, by the PID namespace and by name.
 */
#include "start/adopter.h"

#include "base/sys.h"
#include "base/text.h"

#include <sys/prctl.h>

#define LINK_BYTES 32

/* The inode of the machine's own PID namespace: PROC_PID_INIT_INO of the kernel. */
static const char machine_namespace[] = "pid:[4026531836]";

/* What stands in /proc/1/comm (at most 15 characters) for programs that reap every child: inits
 * first, then what sets up sandboxes and pods, then shells, which wait for all of their children
 * whenever they wait for one. */
static const char *const reapers[] = {
    "init",        "systemd",     "tini",  "tini-static", "dumb-init",   "catatonit",
    "docker-init", "podman-init", "runit", "s6-svscan",   "openrc-init", "procd",
    "bwrap",       "pause",       "sh",    "dash",        "bash",        "busybox",
};

static const char *read_link(const char *path, char text[LINK_BYTES])
{
    long length = sys_readlink(path, text, LINK_BYTES - 1);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

/* Whether /proc is that of our own PID namespace. */
static bool proc_is_ours(void)
{
    char link[LINK_BYTES], own[LINK_BYTES];
    text_append_number(own, sizeof own, 0, (uint64_t)sys_getpid());
    return text_equal(read_link("/proc/self", link), own);
}

static bool is_reaper(const char *path)
{
    char name[LINK_BYTES];
    size_t length = sys_read_text(path, name, sizeof name);
    if (length <= 1)
        return false;
    name[length - 1] = '\0'; /* the newline */
    for (size_t i = 0; i < sizeof reapers / sizeof *reapers; i++)
        if (text_equal(name, reapers[i]))
            return true;
    return false;
}

bool adopter_is_machine(void)
{
    char link[LINK_BYTES];
    return text_equal(read_link("/proc/self/ns/pid", link), machine_namespace);
}

bool adopter_reaps(void)
{
    int is_subreaper = 0;
    sys_prctl(PR_GET_CHILD_SUBREAPER, (unsigned long)&is_subreaper);
    if (is_subreaper || sys_getpid() == 1)
        return false;
    return adopter_is_machine() || (proc_is_ours() && is_reaper("/proc/1/comm"));
}
