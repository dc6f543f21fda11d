/*
 * audited.c: a program that prints what an auditor could have left in it; with an argument it first
 * executes itself without it.
 */
#include "../../support/look.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* What stands behind the text in the first line that has it; -1: no line has it. */
static long number_after(const char *path, const char *text)
{
    char line[4200];
    const char *found = NULL;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file))
        found = strstr(line, text);
    if (file)
        fclose(file);
    return found ? atol(found + strlen(text)) : -1;
}

/* Whether every variable lies where the kernel has put it: in one piece, in their order. */
static bool is_in_place(void)
{
    for (char **variable = environ; *variable && variable[1]; variable++)
        if (variable[1] != *variable + strlen(*variable) + 1)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        execv(argv[0], (char *[]){argv[0], NULL});
    printf("mapped=%d\n", number_after("/proc/self/maps", "coldboost.so") >= 0);
    printf("KiB=%ld\n", number_after("/proc/self/status", "VmSize:"));
    printf("in_place=%d\n", is_in_place());
    printf("functions=%d\n", dlsym(RTLD_DEFAULT, "is_cold_start") != NULL);
    int (*kind)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "coldboost_critical_init");
    printf("kind=%d\n", kind ? kind() : 0);
    const char *audit = getenv("LD_AUDIT");
    printf("LD_AUDIT=%s\n", audit ? audit : "");
    wait_for_replay(); /* or it would end with us */
    return 0;
}
