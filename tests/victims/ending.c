/*
 * ending.c: programs that are over before a replay is.
 */
#include "victims.h"

#include "../support/look.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(void)
{
    _exit(3);
}

static void leave_before_main(void)
{
    exit(6);
}

static void say_goodbye(void)
{
    printf("goodbye\n");
}

static void exit_with_handlers(void)
{
    atexit(say_goodbye);
    exit(4);
}

static void quick(void)
{
    at_quick_exit(say_goodbye);
    quick_exit(5);
}

/* $VICTIM_CORE wants one. */
static void no_core(void)
{
    if (getenv("VICTIM_CORE"))
        return;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

static void crash(void)
{
    no_core();
    *(volatile int *)8 = 1;
}

static void abort_at_once(void)
{
    no_core();
    abort();
}

static void kill_itself(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

static void terminate_itself(void)
{
    raise(SIGTERM);
}

static int use_up_stack(volatile int depth)
{
    volatile char buffer[4096];
    buffer[0] = (char)depth;
    return depth ? use_up_stack(depth + 1) + buffer[0] : 0;
}

static void overflow_stack(void)
{
    no_core();
    printf("%d\n", use_up_stack(1));
}

static void *print_last(void *nothing)
{
    sleep_ms(10);
    printf("last thread\n");
    fflush(stdout);
    return nothing;
}

static void main_thread_leaves(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, print_last, NULL) != 0)
        cannot("no thread");
    pthread_exit(NULL);
}

static void only_thread_leaves(void)
{
    printf("alone\n");
    pthread_exit(NULL);
}

static void *exit_process(void *nothing)
{
    exit(9);
    return nothing;
}

static void thread_exits(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, exit_process, NULL) != 0)
        cannot("no thread");
    pause();
}

static void do_nothing(void)
{
}

const struct victim ending_victims[] = {
    {"returns at once", do_nothing, ENDS},
    {"looks around", do_nothing, 0},
    {"_exit", leave, ENDS},
    {"exit before main", leave_before_main, BEFORE_MAIN | ENDS},
    {"exit with handlers", exit_with_handlers, ENDS},
    {"quick_exit", quick, ENDS},
    {"crash", crash, ENDS},
    {"crash before main", crash, BEFORE_MAIN | ENDS},
    {"abort", abort_at_once, ENDS},
    {"SIGKILL", kill_itself, ENDS},
    {"SIGTERM", terminate_itself, ENDS},
    {"stack overflow", overflow_stack, ENDS},
    {"main thread leaves", main_thread_leaves, ENDS},
    {"only thread leaves", only_thread_leaves, ENDS},
    {"a thread exits", thread_exits, ENDS},
    {NULL, NULL, 0},
};
