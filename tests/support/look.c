/*
 * look.c: how to look is what look.h says.
 */
#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t child_signals;

static void on_child(int number)
{
    (void)number;
    child_signals++;
}

void sleep_ms(long ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};
    nanosleep(&time, NULL);
}

int count_tasks(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

void print_descriptors(void)
{
    printf("descriptors:");
    for (int fd = 0; fd < 64; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0)
            printf(" %d:%o:%x:%x", fd, status.st_mode & S_IFMT, (unsigned)fcntl(fd, F_GETFD),
                   (unsigned)fcntl(fd, F_GETFL));
    }
    int next = open("/", O_RDONLY | O_DIRECTORY);
    printf(" next %d\n", next);
    if (next >= 0)
        close(next);
}

void print_signals(void)
{
    sigset_t mask, pending;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    printf("signals not as usual:");
    for (int number = 1; number < 65; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(number, NULL, &action);
        int blocked = sigismember(&mask, number) == 1, waits = sigismember(&pending, number) == 1;
        if (blocked || waits || action.sa_handler != SIG_DFL)
            printf(" %d:%d%d%d", number, blocked, waits, action.sa_handler == SIG_IGN);
    }
    stack_t alternative;
    sigaltstack(NULL, &alternative);
    printf(", stack %d\n", alternative.ss_flags);
}

void print_process(void)
{
    static char folder[4096];
    mode_t mask = umask(022);
    umask(mask);
    size_t variables = 0, bytes = 0;
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "LD_", 3) != 0 && strncmp(*variable, "COLDBOOST", 9) != 0) {
            variables++;
            /* libfaketime names shared memory after the process: of another length each time. */
            if (strncmp(*variable, "FAKETIME_SHARED=", 16) != 0)
                bytes += strlen(*variable);
        }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    printf("process: umask %o folder %s variables %zu of %zu bytes, alarm %u, CPUs %d, policy %d\n",
           mask, getcwd(folder, sizeof folder), variables, bytes, alarm(0), CPU_COUNT(&cpus),
           sched_getscheduler(0));
    char name[64] = "";
    int fd = open("/proc/self/comm", O_RDONLY);
    if (fd >= 0 && read(fd, name, sizeof name - 1) > 0)
        printf("name: %s", name);
    if (fd >= 0)
        close(fd);
}

void print_leftovers(void)
{
    unsigned long bytes = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    static char line[5000];
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        char access[8];
        int path = 0;
        /* A library's zeroed data begins where its file's ends: only mappings apart count. */
        if (sscanf(line, "%lx-%lx %7s %*s %*s 0%n", &begin, &end, access, &path) == 3 && path &&
            !strpbrk(line + path, "[/") && end - begin >= 128 * 1024)
            bytes += end - begin;
    }
    if (maps)
        fclose(maps);
    printf("leftovers: %d tasks, %lu KiB\n", count_tasks(), bytes / 1024);
}

void print_children(void)
{
    signal(SIGCHLD, on_child);
    int status;
    siginfo_t info;
    int waited = waitpid(-1, &status, WNOHANG) < 0 ? errno : 0;
    int waited_all = waitpid(-1, &status, WNOHANG | __WALL) < 0 ? errno : 0;
    int waited_id = waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) < 0 ? errno : 0;
    pid_t child = fork();
    if (child == 0)
        _exit(9);
    int first = wait(&status) == child ? WEXITSTATUS(status) : -1;
    int second = wait(&status) < 0 ? errno : 0;
    printf("children: %d %d %d, then %d, %d, signals %d\n", waited == ECHILD, waited_all == ECHILD,
           waited_id == ECHILD, first, second == ECHILD, (int)child_signals);
    signal(SIGCHLD, SIG_DFL);
}

int status_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status;
}

struct process {
    char name[32], state;
    int parent, session;
};

static bool read_process(int id, struct process *out)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/stat", id);
    FILE *stat = fopen(path, "r");
    if (!stat)
        return false;
    int fields = fscanf(stat, "%*d (%31[^)]) %c %d %*d %d", out->name, &out->state, &out->parent,
                        &out->session);
    fclose(stat);
    return fields == 4;
}

/* A running orphan of this session with our name, or one of coldboost's. */
static bool is_of_replay(int id, const char *own_name)
{
    struct process process, parent = {.session = 0};
    if (id <= 0 || id == getpid() || !read_process(id, &process) || process.session != getsid(0) ||
        process.state == 'Z' ||
        (strcmp(process.name, own_name) != 0 && strncmp(process.name, "coldboost", 9) != 0))
        return false;
    read_process(process.parent, &parent);
    return parent.session != process.session;
}

static bool is_replayed(void)
{
    char name[17] = "";
    bool found = false;
    prctl(PR_GET_NAME, name);
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && !found && (entry = readdir(processes));)
        found = is_of_replay(atoi(entry->d_name), name);
    if (processes)
        closedir(processes);
    return found;
}

void wait_for_replay(void)
{
    wait_for_threads();
    for (int i = 0; i < 15000 && is_replayed(); i++)
        sleep_ms(2);
}

void wait_for_threads(void)
{
    const char *own = getenv("VICTIM_TASKS"); /* an emulator has more */
    int tasks = own ? atoi(own) : 1;
    for (int i = 0; i < 15000 && count_tasks() > tasks; i++)
        sleep_ms(2);
    if (count_tasks() > tasks)
        printf("still %d tasks\n", count_tasks());
}
