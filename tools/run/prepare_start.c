/*
 * prepare_start.c: coldboost prepare watched|alone EXECUTABLE ARGV0 [ARGUMENT]…: what takes libc
 * before the parent of this process becomes a program that may be recorded for the store
 * (tools/start/front.c). Not for users. Exits with 0 if it is to be.
 */
#include "cli/command.h"
#include "start/obstacle.h"
#include "store/keep.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_prepare(int argc, char **argv)
{
    static struct store_entry entry;
    struct program program;
    bool has_read = false;
    if (argc < 4)
        fail_usage("prepare", "it is not for users");
    char **command = argv + 3;
    find_program(argv[2], &program);
    bool wanted = keep_find(&program, command, &entry) &&
                  keep_look(&entry, &has_read) == STORE_RECORD && entry.writable &&
                  keep_is_due(&entry, &has_read);
    if (wanted && strcmp(argv[1], "alone") == 0)
        wanted = keep_alone(&program, &entry, command, getppid());
    return wanted ? EXIT_SUCCESS : EXIT_FAILED;
}
