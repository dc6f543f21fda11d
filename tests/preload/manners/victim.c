/*
 * victim.c: a program that looks at what a guest could have changed: descriptors, errno, signals,
 * children, threads, memory. It does what its arguments say, in order, and prints what it sees, so
 * that runs with and without libcoldboost.so can be compared.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char self[4096];
static volatile sig_atomic_t child_signals;

static void on_child(int number)
{
    (void)number;
    child_signals++;
}

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};
    nanosleep(&time, NULL);
}

static int count_tasks(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

/* Every descriptor with its flags, and the number that the next one would get. */
static void print_descriptors(void)
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

static void print_signals(void)
{
    sigset_t mask, pending;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    printf("signals:");
    for (int number = 1; number < 65; number++) {
        struct sigaction action = {.sa_flags = 0};
        int known = sigaction(number, NULL, &action);
        printf(" %d%d%d%d", sigismember(&mask, number) == 1, sigismember(&pending, number) == 1,
               known == 0 && action.sa_handler == SIG_IGN,
               known == 0 && action.sa_handler == SIG_DFL);
    }
    stack_t alternative;
    sigaltstack(NULL, &alternative);
    printf(" stack %d\n", alternative.ss_flags);
}

static void print_process(void)
{
    static char folder[4096];
    mode_t mask = umask(022);
    umask(mask);
    size_t variables = 0, bytes = 0;
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "LD_", 3) != 0 && strncmp(*variable, "COLDBOOST", 9) != 0) {
            variables++;
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

/* What would be left of a replay: threads, and memory that belongs to no file. */
static void print_leftovers(void)
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

static void print_children(void)
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

static int status_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status;
}

static void *spawn_all_ways(void *result)
{
    char *const arguments[] = {self, (char[]){"code"}, NULL};
    pid_t child = fork();
    if (child == 0)
        _exit(1);
    int sum = status_of(child) >> 8;
    child = vfork();
    if (child == 0) {
        execv(self, arguments);
        _exit(99);
    }
    sum += status_of(child) >> 8;
    if (posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0)
        sum += status_of(child) >> 8;
    child = fork();
    if (child == 0) {
        execv(self, arguments);
        _exit(99);
    }
    sum += status_of(child) >> 8;
    FILE *shell = popen("exit 5", "r");
    sum += shell ? pclose(shell) >> 8 : 0;
    *(int *)result = sum;
    return NULL;
}

static void print_spawns(void)
{
    enum { SPAWNERS = 4 };
    pthread_t threads[SPAWNERS];
    int sums[SPAWNERS + 1] = {0};
    spawn_all_ways(&sums[SPAWNERS]);
    for (int i = 0; i < SPAWNERS; i++)
        if (pthread_create(&threads[i], NULL, spawn_all_ways, &sums[i]) != 0)
            printf("no thread\n");
    for (int i = 0; i < SPAWNERS; i++)
        pthread_join(threads[i], NULL);
    printf("spawns: %d %d %d %d %d\n", sums[0], sums[1], sums[2], sums[3], sums[4]);
}

/* Until the process has one thread; 30 seconds is the end of patience. */
static void wait_for_threads(void)
{
    for (int i = 0; i < 15000 && count_tasks() > 1; i++)
        sleep_ms(2);
    if (count_tasks() > 1)
        printf("still %d tasks\n", count_tasks());
}

static void *print_last(void *argument)
{
    sleep_ms(10);
    printf("last thread\n");
    fflush(stdout);
    return argument;
}

static void leave_main_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, print_last, NULL) != 0)
        exit(98);
    pthread_exit(NULL);
}

static void read_stdin(bool to_the_end)
{
    char byte;
    while (read(0, &byte, 1) > 0 && to_the_end) {
    }
}

/* A process may be born before main: this one when a variable asks for it. */
__attribute__((constructor)) static void fork_early(void)
{
    if (!getenv("VICTIM_FORKS_EARLY"))
        return;
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    if (status_of(child) >> 8 != 7)
        _exit(97);
}

int main(int argc, char **argv)
{
    int first_errno = errno;
    if (argc < 2)
        return printf("no arguments, errno %d\n", first_errno) < 0;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length < 0 ? 0 : length] = '\0';
    for (int i = 1; i < argc; i++) {
        const char *what = argv[i];
        if (strcmp(what, "code") == 0)
            return 10;
        else if (strcmp(what, "errno") == 0)
            printf("errno: %d\n", first_errno);
        else if (strcmp(what, "state") == 0) {
            print_descriptors();
            print_signals();
            print_process();
        } else if (strcmp(what, "leftovers") == 0)
            print_leftovers();
        else if (strcmp(what, "children") == 0)
            print_children();
        else if (strcmp(what, "spawns") == 0)
            print_spawns();
        else if (strcmp(what, "wait") == 0)
            wait_for_threads();
        else if (strcmp(what, "main-leaves") == 0)
            leave_main_thread();
        else if (strcmp(what, "exec") == 0) {
            fflush(stdout);
            argv[i] = argv[0];
            execv(self, argv + i);
            return 96;
        } else if (strcmp(what, "exec-without-arguments") == 0) {
            char *const nothing[] = {NULL};
            fflush(stdout);
            execv(self, nothing);
            return 96;
        } else if (strcmp(what, "leave") == 0)
            _exit(3);
        else if (strcmp(what, "crash") == 0)
            raise(SIGSEGV);
        else if (strcmp(what, "go") == 0)
            read_stdin(false);
        else if (strcmp(what, "hold") == 0)
            read_stdin(true);
        else if (strcmp(what, "close") == 0) {
            fclose(stdout);
            close(2);
        } else
            return 95;
    }
    return 0;
}
