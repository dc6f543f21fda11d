/*
 * record_again.c: coldboost again EXECUTABLE ARGV0 [ARGUMENT]…: what a preloaded program becomes
 * that is to be recorded (preload/boost/again.c). Not for users. Whatever goes wrong, it becomes
 * the program.
 */
#include "begin/recorded.h"
#include "cli/command.h"
#include "start/obstacle.h"
#include "store/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the program is recorded, and has nothing to look for: one with a profile, which is to be
 * made again, finds it by itself. */
static bool record(const struct program *program, char **command)
{
    static struct store_entry entry;
    bool has_read = false;
    bool wanted =
        keep_find(program, command, &entry) && keep_look(&entry, &has_read) == STORE_RECORD;
    store_close(&entry);
    return wanted && entry.writable && keep_is_due(&entry, &has_read) &&
           keep_record(program, &entry, command) && !*entry.profile;
}

int command_again(int argc, char **argv)
{
    if (argc < 3)
        fail_usage("again", "it is not for users");
    char id[HANDOVER_BYTES];
    struct program program;
    char **command = argv + 2;
    find_program(argv[1], &program);
    recorded_mark(record(&program, command) ? program.executable : NULL, id);
    setenv(HANDOVER_VARIABLE, id, 1); /* it is not to come here again */
    execv(argv[1], command);
    fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s: %s", argv[1],
         strerror(errno));
}
