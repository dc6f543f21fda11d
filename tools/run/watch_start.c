/*
 * watch_start.c: coldboost watch TRACE COMMAND…: what the process beside a start becomes that is
 * recorded for the store (tools/begin/watcher.c). Not for users.
 */
#include "cli/command.h"
#include "store/keep.h"

#include <stdlib.h>

int command_watch(int argc, char **argv)
{
    if (argc < 3)
        fail_usage("watch", "it is not for users");
    keep_watch(atoi(argv[1]), argv + 2);
    return EXIT_SUCCESS;
}
