/*
 * record_layer.c: coldboost-record COMMAND [ARGUMENT]…, the recorder of a Lambda layer.
 *
 * What coldboost-wrapper becomes when COLDBOOST_RECORD is set: `coldboost record --until ready` as
 * a static program, for a sandbox whose libc is another one and where nothing but /tmp can be
 * written. COLDBOOST_RECORD is where the profile goes: "log", or a file.
 */
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 4 };

int main(int argc, char **argv)
{
    const char *target = getenv("COLDBOOST_RECORD");
    if (argc < 2 || !target || !*target)
        fail(EXIT_USAGE, "coldboost-wrapper starts this program; it takes a command, and "
                         "COLDBOOST_RECORD=log or a file for the profile");
    char **arguments = xmalloc((size_t)(argc + MOST_OPTIONS) * sizeof *arguments);
    int count = 0;
    arguments[count++] = xstrdup("record");
    arguments[count++] = xstrdup("--until=ready");
    arguments[count++] =
        strcmp(target, "log") == 0 ? xstrdup("--log") : xasprintf("--output=%s", target);
    arguments[count++] = xstrdup("--");
    memcpy(arguments + count, argv + 1, (size_t)argc * sizeof *arguments); /* with the NULL */
    unsetenv("COLDBOOST_RECORD"); /* a bootstrap script may start the wrapper once more */
    return command_record(count + argc - 1, arguments);
}
