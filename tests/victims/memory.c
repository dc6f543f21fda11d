/*
 * memory.c: programs that load, unload and map while a replay runs.
 */
#include "victims.h"

#include "../support/look.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* $VICTIM_PLUGIN is any shared object. */
static void *load_and_unload(void *failures)
{
    const char *plugin = getenv("VICTIM_PLUGIN");
    for (int i = 0; plugin && i < 60; i++) {
        void *handle = dlopen(plugin, (i & 1 ? RTLD_NOW : RTLD_LAZY) | (i & 2 ? RTLD_GLOBAL : 0));
        *(int *)failures += !handle || !dlsym(handle, "plugin_answer") || dlclose(handle) != 0;
    }
    return NULL;
}

static void dlopen_storm(void)
{
    int failures = 0;
    load_and_unload(&failures);
    printf("failures: %d\n", failures);
}

static void dlopen_storm_in_threads(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int failures[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, load_and_unload, &failures[i]) != 0)
            cannot("no thread");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        printf("failures: %d\n", failures[i]);
    }
}

/* Writes to all it gets, and finds it unchanged: nobody else writes there. */
static void map_and_unmap(void)
{
    int wrong = 0;
    for (int i = 0; i < 400; i++) {
        size_t bytes = (size_t)(1 + i % 40) * 16384;
        unsigned char *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            cannot("no memory");
        for (size_t at = 0; at < bytes; at += 4096)
            wrong += memory[at] != 0;
        memset(memory, 0xa5, bytes);
        for (size_t at = 0; at < bytes; at += 512)
            wrong += memory[at] != 0xa5;
        munmap(memory, bytes);
    }
    printf("wrong: %d\n", wrong);
}

static void lock_memory(void)
{
    TRY(mlockall(MCL_CURRENT));
    TRY(munlockall());
}

/* The heap grows where the replay's memory could have been put in its way. */
static void move_break(void)
{
    setvbuf(stdout, NULL, _IONBF, 0); /* or its buffer is given back, too */
    char *before = sbrk(0);
    bool up = sbrk(1 << 20) == before;
    bool down = sbrk(-(1 << 20)) != (void *)-1;
    printf("break: up %d, down %d, back %d\n", up, down, sbrk(0) == (void *)before);
}

static void clocks_run_forward(void)
{
    struct timespec before = {0, 0}, now;
    int backwards = 0;
    for (int i = 0; i < 2000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        backwards += now.tv_sec < before.tv_sec ||
                     (now.tv_sec == before.tv_sec && now.tv_nsec < before.tv_nsec);
        before = now;
    }
    printf("backwards: %d, after 1970: %d\n", backwards, time(NULL) > 0);
}

const struct victim memory_victims[] = {
    {"dlopen and dlclose storm", dlopen_storm, 0},
    {"dlopen storm in threads", dlopen_storm_in_threads, 0},
    {"dlopen storm before main", dlopen_storm, BEFORE_MAIN},
    {"map and unmap", map_and_unmap, 0},
    {"lock memory", lock_memory, 0},
    {"move the break", move_break, 0},
    {"clocks run forward", clocks_run_forward, 0},
    {NULL, NULL, 0},
};
