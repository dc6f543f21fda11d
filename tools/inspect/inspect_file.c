/*
 * inspect_file.c: a file that could be executed: the script's interpreters, and the program behind
 * them.
 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/table.h"
#include "inspect/inspect.h"
#include "start/obstacle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As a command is found; what is none may be a file in this folder. */
static void find_subject(const char *name, struct program *out)
{
    if (program_search(name, environ, out) || out->obstacle != OBSTACLE_NOT_FOUND ||
        access(name, F_OK) == 0)
        return;
    if (strchr(name, '/'))
        fail(EXIT_FAILED, "%s: %s", name, strerror(errno));
    fail(EXIT_FAILED, "%s: neither a command in PATH nor a file here", name);
}

static void add_interpreter(struct inspection *inspection, const char *path)
{
    inspection->program = xstrdup(path);
    *GROW(inspection->interpreters, inspection->interpreter_count) = inspection->program;
}

/* Notes the interpreters of a script. */
static void follow(struct inspection *inspection, struct program *program)
{
    program_probe(program);
    for (size_t i = 0; i < program->interpreter_count; i++)
        add_interpreter(inspection, program->interpreters[i]);
    if (inspection->interpreter_count > EXECUTABLE_MAX_INTERPRETERS + 1)
        program->obstacle = OBSTACLE_TOO_DEEP;
    if (obstacle_is_final(program->obstacle))
        fail(EXIT_FAILED, "%s", obstacle_text(program));
}

/* Goes on to what "env NAME" starts, which is the last step of most scripts; false if it is none.
 */
static bool follow_env(struct inspection *inspection, struct program *program)
{
    const char *argument = program->argument;
    if (!program->interpreter_count || strcmp(text_last_part(inspection->program), "env") != 0)
        return false;
    if (strncmp(argument, "-S", 2) == 0)
        argument += 2 + strspn(argument + 2, " \t");
    char *command = xasprintf("%.*s", (int)strcspn(argument, " \t"), argument);
    bool is_name = *command && *command != '-' && !strchr(command, '=');
    struct program next;
    bool found = is_name && (program_search(command, environ, &next) ||
                             next.obstacle == OBSTACLE_NOT_EXECUTABLE);
    free(command);
    if (!found)
        return false;
    *program = next;
    add_interpreter(inspection, program->path);
    follow(inspection, program);
    return true;
}

void inspect_file(const char *name, struct inspection *out)
{
    struct program program;
    find_subject(name, &program);
    *out = (struct inspection){.subject = xstrdup(program.path), .program = xstrdup(program.path)};
    follow(out, &program);
    while (follow_env(out, &program)) {
    }
    inspect_program(out, out->program, &program);
    add_preloads(out, getenv("LD_PRELOAD"));
    add_system_preloads(out);
    inspect_libraries(out);
    inspect_audit(out);
}
