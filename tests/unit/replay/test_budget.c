/*
 * test_budget.c: the limits of machines and control groups that are not this one, as files in
 * name spaces of our own.
 */
#include "replay/budget.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 2 };

Test(budget, is_half_of_what_there_is)
{
    struct sysinfo info;
    sysinfo(&info);
    uint64_t total = (uint64_t)info.totalram * info.mem_unit;
    uint64_t budget = budget_by_memory(0);
    cr_assert_gt(budget, 0);
    cr_assert_leq(budget, total / 2);
    cr_assert_eq(budget_by_memory(1 << 20), 1 << 19);
    cr_assert_leq(budget_by_memory(UINT64_MAX), total / 2);
}

static bool put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* NULL: there is no such file. PATH stands for a name that is too long. */
static const struct machine {
    const char *meminfo, *groups;
    uint64_t kib; /* what the budget is half of */
} machines[] = {
    {"MemTotal: 9 kB\nMemAvailable:     4000 kB\nMemFree: 5 kB\n", "0::/none\n", 4000},
    {"MemTotal: 9 kB\nMemAvailable: 4000", "0::/none\n", 4000},
    /* Control groups, version 2: the group's own, and that of a container's root. */
    {"MemAvailable: 4000 kB\n", "0::/small\n", 300},
    {"MemAvailable: 4000 kB\n", "0::/small", 300},
    {"MemAvailable: 4000 kB\n", "0::/unlimited\n", 4000},
    {"MemAvailable: 4000 kB\n", "0::/empty\n", 4000},
    {"MemAvailable: 4000 kB\n", "0::/overflow\n", 4000},
    {"MemAvailable: 4000 kB\n", "0::/overflow-by-one\n", 4000},
    {"MemAvailable: 200 kB\n", "0::/small\n", 200},
    /* Version 1, and both. */
    {"MemAvailable: 4000 kB\n", "11:cpu,memory:/a\n7:memory:/old\n0::/small\n", 100},
    {"MemAvailable: 4000 kB\n", "7:memory:/old", 100},
    {"MemAvailable: 4000 kB\n", "7:memory:/none\n0::/small\n", 4000},
    {"MemAvailable: 4000 kB\n", "12:cpu:/x\n1:name=systemd:/x\n0::/small\n", 300},
    {"MemAvailable: 4000 kB\n", "", 4000},
    {"MemAvailable: 4000 kB\n", "0::/PATH", 4000},
    {"MemAvailable: 4000 kB\n", NULL, 4000},
    {NULL, "0::/small\n", 300},
    {"MemAvail\n", "0::/small\n", 300},
};

static const struct {
    const char *path, *text;
} limits[] = {
    {"/small/memory.max", "307200\n"},
    {"/unlimited/memory.max", "max\n"},
    {"/empty/memory.max", ""},
    {"/overflow/memory.max", "1844674407370955161600\n"},
    {"/overflow-by-one/memory.max", "18446744073709551616\n"},
    {"/memory/old/memory.limit_in_bytes", "102400\n"},
};

static bool make_limits(void)
{
    bool made = true;
    mkdir("/sys/fs/cgroup/memory", 0700);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char path[256];
        snprintf(path, sizeof path, "/sys/fs/cgroup%s", limits[i].path);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
        made = made && put(path, limits[i].text);
    }
    return made;
}

static bool become_root(void)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %u 1", getuid());
    snprintf(groups, sizeof groups, "0 %u 1", getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put("/proc/self/setgroups", "deny") &&
           put("/proc/self/uid_map", users) && put("/proc/self/gid_map", groups);
}

/* Past libc: the thread sanitizer would start a thread of its own in the child, and a process with
 * threads gets no user name space. */
static pid_t fork_alone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static int budget_of(const struct machine *machine)
{
    if (!become_root() || mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0 || mkdir("/proc/self", 0700) != 0)
        return CANNOT;
    char groups[4096];
    const char *text = machine->groups;
    if (text && strstr(text, "PATH")) {
        snprintf(groups, sizeof groups, "0::/%03000d", 0);
        text = groups;
    }
    if (!make_limits() || (text && !put("/proc/self/cgroup", text)) ||
        (machine->meminfo && !put("/proc/meminfo", machine->meminfo)))
        return CANNOT;
    uint64_t budget = budget_by_memory(0);
    if (budget != machine->kib << 9)
        fprintf(stderr, "%ju bytes, not %ju\n", (uintmax_t)budget, (uintmax_t)machine->kib << 9);
    return budget == machine->kib << 9 ? EXIT_SUCCESS : EXIT_FAILURE;
}

Test(budget, of_other_machines)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        int status;
        pid_t pid = fork_alone();
        if (pid == 0)
            _exit(budget_of(&machines[i]));
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFEXITED(status));
        if (WEXITSTATUS(status) == CANNOT)
            cr_skip_test("no name spaces of our own here");
        cr_assert_eq(WEXITSTATUS(status), EXIT_SUCCESS, "machine %zu", i);
    }
}
