/*
 * main.c: runs one victim by name and prints what can be seen of the process then.
 *
 * Usage: victims list             every victim: theme, flags, name
 *        victims tasks            how many threads it has
 *        victims maps             /proc/self/maps
 *        victims NAME             $VICTIM is the same name, for those that act before main
 *
 * Exits with 77 and prints why where the victim cannot do what it is for.
 */
#include "victims.h"

#include "../support/look.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    const struct victim *victims;
} themes[] = {
    {"processes", process_victims}, {"identity", identity_victims}, {"confined", confined_victims},
    {"ends", ending_victims},       {"memory", memory_victims},
};

enum { THEMES = sizeof themes / sizeof *themes, MAX_WORDS = 300, EMULATOR_BYTES = 512 };

char self[4096];

static void find_self(void)
{
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length < 0 ? 0 : length] = '\0';
}

static const struct victim *find_victim(const char *name)
{
    for (int i = 0; name && i < THEMES; i++)
        for (const struct victim *victim = themes[i].victims; victim->name; victim++)
            if (strcmp(victim->name, name) == 0)
                return victim;
    return NULL;
}

/* What starts this program: "self NAME", or under an emulator, whose own loader must see nothing
 * of the preloading, "EMULATOR -E LD_PRELOAD=... self NAME". */
static void command(const char *name, char *emulator, const char **arguments,
                    const char **environment)
{
    const char *variable = getenv("VICTIM_EMULATOR");
    char *rest = emulator;
    int n = 0, e = 0;
    snprintf(emulator, EMULATOR_BYTES, "%s", variable ? variable : "");
    for (char *word; (word = strtok_r(rest, " ", &rest));)
        arguments[n++] = word;
    for (char **entry = environ; *entry && e < MAX_WORDS / 2 - 4; entry++)
        if (variable && (strncmp(*entry, "LD_", 3) == 0 || strncmp(*entry, "COLDBOOST", 9) == 0)) {
            arguments[n++] = "-E";
            arguments[n++] = *entry;
        } else {
            environment[e++] = *entry;
        }
    arguments[n++] = self;
    arguments[n++] = name;
    arguments[n] = environment[e] = NULL;
}

int become(const char *name)
{
    char emulator[EMULATOR_BYTES];
    const char *arguments[MAX_WORDS], *environment[MAX_WORDS];
    command(name, emulator, arguments, environment);
    return execve(arguments[0], (char *const *)(void *)arguments,
                  (char *const *)(void *)environment);
}

pid_t spawn_code(void)
{
    char emulator[EMULATOR_BYTES];
    const char *arguments[MAX_WORDS], *environment[MAX_WORDS];
    pid_t child;
    command(CODE, emulator, arguments, environment);
    int error = posix_spawn(&child, arguments[0], NULL, NULL, (char *const *)(void *)arguments,
                            (char *const *)(void *)environment);
    return error ? -error : child;
}

void cannot(const char *why)
{
    printf("cannot: %s (%s)\n", why, strerror(errno));
    exit(77);
}

__attribute__((constructor)) static void act_before_main(void)
{
    const struct victim *victim = find_victim(getenv("VICTIM"));
    if (!victim || !(victim->flags & BEFORE_MAIN))
        return;
    find_self();
    unsetenv("VICTIM");
    victim->act();
}

static void list(void)
{
    for (int i = 0; i < THEMES; i++)
        for (const struct victim *victim = themes[i].victims; victim->name; victim++)
            printf("%s\t%u\t%s\n", themes[i].name, victim->flags, victim->name);
}

static int print_maps(void)
{
    static char line[5000];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        fputs(line, stdout);
    return maps ? fclose(maps) : 1;
}

static void hold(void)
{
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
}

int main(int argc, char **argv)
{
    int first_errno = errno;
    const char *name = argc > 1 ? argv[1] : "look";
    if (strcmp(name, "list") == 0) {
        list();
        return 0;
    }
    if (strcmp(name, CODE) == 0)
        return 10;
    if (strcmp(name, "tasks") == 0)
        return printf("%d\n", count_tasks()) < 0;
    if (strcmp(name, "maps") == 0)
        return print_maps();
    if (strcmp(name, "wait") == 0) {
        wait_for_replay();
        return 0;
    }
    const struct victim *victim = find_victim(name);
    if (!victim && strcmp(name, "look") != 0)
        return 95;
    find_self();
    if (victim && !(victim->flags & BEFORE_MAIN))
        victim->act();
    if (victim && victim->flags & ENDS)
        return 0;
    printf("errno: %d\n", first_errno);
    print_descriptors();
    print_signals();
    print_process();
    print_children();
    wait_for_threads();
    print_leftovers();
    fflush(stdout);
    if (getenv("VICTIM_HOLDS"))
        hold();
    else
        wait_for_replay(); /* or it would end with us */
    return 0;
}
