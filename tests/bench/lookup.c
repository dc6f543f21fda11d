/*
 * lookup.c: what a start spends to find its profile in a store.
 *
 * Usage: lookup STORE ROUNDS EXECUTABLE [ARGUMENT…]. Each look-up is made by a new process, which
 * has touched none of the pages that it needs; prints the median, and the quartiles, in
 * microseconds.
 */
#include "base/sys.h"
#include "start/store.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_entry entry;

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void look(int out, const char *folder, char *const *command)
{
    uint64_t since = sys_monotonic_ns();
    memcpy(entry.folder, folder, strlen(folder) + 1);
    store_name(*command, NULL, command + 1, &entry);
    enum store_answer answer = store_look(&entry);
    uint64_t took = sys_monotonic_ns() - since;
    store_close(&entry);
    _exit(answer != STORE_REPLAY || write(out, &took, sizeof took) != sizeof took);
}

static uint64_t one(char **argv)
{
    int ends[2], status = 0;
    uint64_t took = 0;
    pid_t child;
    static char once[] = "0";
    argv[2] = once;
    if (pipe(ends) != 0)
        die("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ) != 0 ||
        waitpid(child, &status, 0) != child)
        die("/proc/self/exe");
    if (status != 0 || read(ends[0], &took, sizeof took) != sizeof took) {
        fprintf(stderr, "lookup: %s has no profile of %s\n", argv[1], argv[3]);
        exit(EXIT_FAILURE);
    }
    close(ends[0]);
    close(ends[1]);
    return took;
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[2], "0") == 0)
        look(STDOUT_FILENO, argv[1], argv + 3);
    size_t rounds = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (rounds < 1 || strlen(argv[1]) >= sizeof entry.folder) {
        fputs("usage: lookup STORE ROUNDS EXECUTABLE [ARGUMENT...]\n", stderr);
        return 2;
    }
    uint64_t *took = calloc(rounds, sizeof *took);
    for (size_t i = 0; i < rounds; i++)
        took[i] = one(argv);
    qsort(took, rounds, sizeof *took, by_size);
    printf("%.1f us [%.1f %.1f], %zu look-ups\n", (double)took[rounds / 2] / 1000,
           (double)took[rounds / 4] / 1000, (double)took[rounds * 3 / 4] / 1000, rounds);
    free(took);
    return 0;
}
