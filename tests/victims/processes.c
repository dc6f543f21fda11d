/*
 * processes.c: programs that start others, wait for them, and count.
 */
#include "victims.h"

#include "../support/look.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void fork_one(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    printf("fork: %d\n", status_of(child) >> 8);
}

static void vfork_one(void)
{
    pid_t child = vfork();
    if (child == 0) {
        become(CODE);
        _exit(99);
    }
    printf("vfork: %d\n", status_of(child) >> 8);
}

static void spawn_one(void)
{
    printf("posix_spawn: %d\n", status_of(spawn_code()) >> 8);
}

static void fork_and_exec(void)
{
    pid_t child = fork();
    if (child == 0) {
        become(CODE);
        _exit(99);
    }
    printf("fork and exec: %d\n", status_of(child) >> 8);
}

static void exec_at_once(void)
{
    become("look");
    _exit(99);
}

static void exec_without_arguments(void)
{
    char *const nothing[] = {NULL};
    if (getenv("VICTIM_EMULATOR"))
        cannot("an emulator needs arguments");
    execv(self, nothing);
    _exit(99);
}

static void exec_code(void)
{
    become(CODE);
    _exit(99);
}

static void system_and_popen(void)
{
    int status = system("exit 6");
    FILE *shell = popen("exit 5", "r");
    printf("system: %d, popen: %d\n", status, shell ? pclose(shell) : -1);
}

static void *start_some(void *sum)
{
    pid_t child = fork();
    if (child == 0)
        _exit(1);
    *(int *)sum += status_of(child) >> 8;
    child = vfork();
    if (child == 0) {
        become(CODE);
        _exit(99);
    }
    *(int *)sum += status_of(child) >> 8;
    *(int *)sum += status_of(spawn_code()) >> 8;
    return NULL;
}

static void from_many_threads(void)
{
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    int sums[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, start_some, &sums[i]) != 0)
            cannot("no thread");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        printf("thread %d: %d\n", i, sums[i]);
    }
}

static void *exec_from_thread(void *nothing)
{
    become("look");
    return nothing;
}

static void exec_in_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, exec_from_thread, NULL) == 0)
        pthread_join(thread, NULL);
    _exit(99);
}

static volatile int prepared, in_parent;

static void on_prepare(void)
{
    prepared++;
}

static void on_parent(void)
{
    in_parent++;
}

static void fork_handlers(void)
{
    pthread_atfork(on_prepare, on_parent, NULL);
    fork_one();
    printf("handlers: %d %d\n", prepared, in_parent);
}

/* Each way to wait for whoever there is, until there is nobody. */
static void wait_for_anybody(void)
{
    int status;
    siginfo_t info = {.si_pid = 0};
    TRY(waitpid(-1, &status, WNOHANG));
    TRY(waitpid(0, &status, WNOHANG | WUNTRACED | WCONTINUED));
    TRY(waitpid(-1, &status, WNOHANG | (int)__WALL));
    TRY(waitpid(-1, &status, WNOHANG | (int)__WCLONE));
    TRY(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG));
    TRY(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | (int)__WALL));
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            _exit(i);
    int count = 0, sum = 0;
    while (waitpid(-1, &status, count % 2 ? (int)__WALL : 0) > 0) {
        count++;
        sum += status >> 8;
    }
    printf("waited for %d, sum %d, errno %d\n", count, sum, errno);
    TRY(waitid(P_ALL, 0, &info, WEXITED));
    TRY(waitpid(-1, &status, (int)__WALL));
}

static void children_are_ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            _exit(i);
    int status;
    TRY(wait(&status));
    TRY(waitpid(-1, &status, (int)__WALL));
    printf("system: %d\n", system("exit 3"));
    signal(SIGCHLD, SIG_DFL);
}

static void children_leave_no_zombie(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT | SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
    if (fork() == 0)
        _exit(1);
    int status;
    TRY(wait(&status));
}

/* What a program sees whose SIGCHLD handler counts, through a signalfd. */
static void children_by_signal(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    sleep_ms(3);
    printf("before: %zd\n", read(fd, &info, sizeof info));
    pid_t child = fork();
    if (child == 0)
        _exit(4);
    siginfo_t who;
    int number = sigwaitinfo(&set, &who);
    printf("signal %d, status %d, ours %d\n", number == SIGCHLD, who.si_status,
           who.si_pid == child);
    status_of(child);
    close(fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static volatile sig_atomic_t taken, taken_elsewhere;
static pid_t main_thread;

static void on_signal(int number)
{
    (void)number;
    taken++;
    taken_elsewhere += main_thread != (pid_t)syscall(SYS_gettid);
}

/* Signals for the process: the replay's threads must take none. */
static void signals_arrive(void)
{
    main_thread = (pid_t)syscall(SYS_gettid);
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    for (int i = 0; i < 200; i++)
        kill(getpid(), SIGUSR1);
    struct itimerval timer = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (taken < 215)
        pause();
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("elsewhere: %d\n", (int)taken_elsewhere);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
}

/* A signal that everybody has blocked stays pending until somebody asks. */
static void signal_stays_pending(void)
{
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGTERM);
    sleep_ms(2);
    sigpending(&pending);
    int number = 0;
    printf("pending %d", sigismember(&pending, SIGTERM));
    sigwait(&set, &number);
    printf(", taken %d\n", number == SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void stopped_and_continued(void)
{
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(8);
    }
    int status = 0;
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d", WIFSTOPPED(status));
    kill(child, SIGCONT);
    printf(", then %d\n", status_of(child) >> 8);
}

static void becomes_daemon(void)
{
    int pipes[2];
    char byte = '?';
    if (pipe(pipes) != 0)
        cannot("no pipe");
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            close(pipes[0]);
            _exit(write(pipes[1], "d", 1) != 1);
        }
        _exit(0);
    }
    close(pipes[1]);
    printf("middle: %d", status_of(child));
    ssize_t n = read(pipes[0], &byte, 1);
    printf(", daemon: %zd %c, end: %zd\n", n, byte, read(pipes[0], &byte, 1));
    close(pipes[0]);
}

/* The pipe must end when the child does, not when a replay ends that holds a copy. */
static void pipe_ends(void)
{
    int pipes[2];
    char text[16];
    if (pipe(pipes) != 0)
        cannot("no pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        close(pipes[1]);
        become(CODE);
        _exit(99);
    }
    close(pipes[1]);
    printf("read %zd, status %d\n", read(pipes[0], text, sizeof text), status_of(child) >> 8);
    close(pipes[0]);
}

static void becomes_subreaper(void)
{
    int status;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    TRY(waitpid(-1, &status, (int)__WALL));
    sleep_ms(5);
    TRY(waitpid(-1, &status, (int)__WALL));
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static void process_group(void)
{
    int status;
    TRY(setpgid(0, 0));
    TRY(waitpid(-getpgrp(), &status, WNOHANG));
    TRY(kill(-getpgrp(), 0));
}

static void time_of_children(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("children: %ld faults, %ld KiB\n", usage.ru_minflt, usage.ru_maxrss);
}

static void many_children(void)
{
    int sum = 0;
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(i & 1);
        sum += status_of(child) >> 8;
    }
    printf("sum: %d\n", sum);
}

/* Somebody looks at this process from outside: every thread is stopped and goes on. */
static void attach(const char *format)
{
    char order[256];
    if (getenv("VICTIM_EMULATOR"))
        cannot("the emulator's process would be looked at");
    snprintf(order, sizeof order, format, (int)getpid());
    unsetenv("LD_PRELOAD");
    printf("attached: %d\n", system(order));
}

static void gdb_attaches(void)
{
    attach("exec gdb -q -batch -nx -p %d -ex 'thread apply all bt 1' -ex detach >/dev/null 2>&1");
}

static void strace_attaches(void)
{
    attach("exec timeout 0.05 strace -f -qq -o /dev/null -p %d");
}

const struct victim process_victims[] = {
    {"fork", fork_one, 0},
    {"vfork", vfork_one, 0},
    {"posix_spawn", spawn_one, 0},
    {"fork and exec", fork_and_exec, 0},
    {"exec", exec_at_once, ENDS},
    {"exec another", exec_code, ENDS},
    {"exec without arguments", exec_without_arguments, ENDS},
    {"system and popen", system_and_popen, 0},
    {"fork before main", fork_one, BEFORE_MAIN},
    {"vfork before main", vfork_one, BEFORE_MAIN},
    {"posix_spawn before main", spawn_one, BEFORE_MAIN},
    {"exec before main", exec_at_once, BEFORE_MAIN | ENDS},
    {"threads before main", from_many_threads, BEFORE_MAIN},
    {"start from many threads", from_many_threads, 0},
    {"exec in a thread", exec_in_a_thread, ENDS},
    {"fork handlers", fork_handlers, 0},
    {"wait for anybody", wait_for_anybody, 0},
    {"wait before main", wait_for_anybody, BEFORE_MAIN},
    {"SIGCHLD ignored", children_are_ignored, 0},
    {"SA_NOCLDWAIT", children_leave_no_zombie, 0},
    {"SIGCHLD by signalfd", children_by_signal, 0},
    {"signals arrive", signals_arrive, 0},
    {"signal stays pending", signal_stays_pending, 0},
    {"stop and continue", stopped_and_continued, 0},
    {"daemon", becomes_daemon, 0},
    {"pipe ends", pipe_ends, 0},
    {"gdb attaches", gdb_attaches, 0},
    {"strace attaches", strace_attaches, 0},
    {"becomes subreaper", becomes_subreaper, 0},
    {"process group", process_group, 0},
    {"time of children", time_of_children, 0},
    {"many children", many_children, 0},
    {NULL, NULL, 0},
};
