/*
 * victim.c: a program that looks at what a guest could have changed: descriptors, errno, signals,
 * children, threads, memory. It does what its arguments say, in order, and prints what it sees, so
 * that runs with and without libcoldboost.so can be compared.
 */
#include "../../support/look.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[4096];

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

static void let_gdb_attach(void)
{
    char order[128];
    snprintf(order, sizeof order,
             "gdb -q -batch -nx -p %d -ex 'thread apply all bt 1' -ex detach >/dev/null 2>&1",
             (int)getpid());
    unsetenv("LD_PRELOAD");
    printf("gdb: %d\n", system(order));
}

/* As a program does whose start needs much memory: at once, and all of it. */
static void take_memory(void)
{
    enum { BYTES = 8 << 20 };
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(94);
    memset(memory, 1, BYTES);
    munmap(memory, BYTES);
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
            wait_for_replay();
        else if (strcmp(what, "gdb") == 0)
            let_gdb_attach();
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
        else if (strcmp(what, "take") == 0)
            take_memory();
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
