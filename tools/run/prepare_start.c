/*
 * prepare_start.c: coldboost prepare HOW EXECUTABLE ARGV0 [ARGUMENT]… (tools/begin/tool.h). Not for
 * users.
 */
#include "begin/tool.h"
#include "cli/command.h"
#include "start/obstacle.h"
#include "store/keep.h"

#include <string.h>

int command_prepare(int argc, char **argv)
{
    static struct store_entry entry;
    struct program program;
    bool has_read = false;
    if (argc < 4)
        fail_usage(TOOL_PREPARE, "it is not for users");
    char **command = argv + 3;
    bool alone = strchr(argv[1], 'a'), now = strchr(argv[1], 'n');
    find_program(argv[2], &program);
    bool wanted = keep_find(&program, command, &entry) &&
                  (keep_look(&entry, &has_read) == STORE_RECORD || now);
    store_close(&entry); /* and its lock, which is in the way of others' and our own changes */
    wanted = wanted && entry.writable && (now || keep_is_due(&entry, &has_read));
    if (wanted && alone)
        wanted = keep_alone(&program, &entry, command);
    return (wanted ? 0 : PREPARED_NOTHING) | (has_read ? PREPARED_BY_READING : 0);
}
