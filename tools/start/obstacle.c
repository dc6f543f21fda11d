/*
 * obstacle.c: puts obstacles into words. They name the file that is meant: the script whose
 * interpreter is missing, or the ELF file that runs in the end.
 */
#include "start/obstacle.h"

#include "cli/command.h"
#include "start/become.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whose "#!" line names the n-th interpreter. */
static const char *script_of(const struct program *program, size_t n)
{
    return n > 1 ? program->interpreters[n - 2] : program->path;
}

/* The file that was looked at last, as it is called. */
static const char *last_name(const struct program *program)
{
    return script_of(program, program->interpreter_count + 1);
}

static char *describe_place(void)
{
    char *object = find_component("libcoldboost.so");
    char *text =
        xasprintf("libcoldboost.so is in %.*s, which LD_PRELOAD cannot name, with its blank, colon "
                  "or $; install coldboost in another folder",
                  (int)(strrchr(object, '/') - object), object);
    free(object);
    return text;
}

char *obstacle_text(const struct program *program)
{
    const char *path = program->path, *executable = program->executable;
    const char *script = script_of(program, program->interpreter_count);
    switch (program->obstacle) {
    case OBSTACLE_NONE:
        break;
    case OBSTACLE_NOT_FOUND:
        return xasprintf("%s: command not found", path);
    case OBSTACLE_NOT_EXECUTABLE:
        return xasprintf("%s: %s", path, strerror(EACCES));
    case OBSTACLE_FOLDER:
        return xasprintf("%s: is a directory", executable);
    case OBSTACLE_NO_INTERPRETER:
        return xasprintf("%s: its interpreter %s is not there; install it", script,
                         last_name(program));
    case OBSTACLE_CARRIAGE_RETURN:
        return xasprintf("%s: its first line ends in a carriage return, which the kernel takes for "
                         "a part of the interpreter's name; remove it: dos2unix %s",
                         script, script);
    case OBSTACLE_TOO_DEEP:
        return xasprintf(
            "%s: its interpreters are scripts without end; name a program in its first "
            "line",
            path);
    case OBSTACLE_NO_LOADER:
        return xasprintf("%s: its loader %s is not there; install the C library that it was built "
                         "for",
                         last_name(program), program->loader);
    case OBSTACLE_UNREADABLE:
        return xasprintf("%s: cannot look into it: %s", executable, strerror(program->error));
    case OBSTACLE_NO_PROC:
        return xasprintf("%s: cannot find out what it starts; mount /proc", path);
    case OBSTACLE_NO_PROGRAM:
        return xasprintf("%s is neither an ELF file nor a script", executable);
    case OBSTACLE_CLASS:
        return xasprintf("%s is a 32-bit program, libcoldboost.so is 64-bit", executable);
    case OBSTACLE_TRUNCATED:
        return xasprintf("%s is a truncated ELF file", executable);
    case OBSTACLE_MACHINE:
        return xasprintf("%s is for another architecture (ELF machine %u)", executable,
                         program->machine);
    case OBSTACLE_SET_ID:
        return xasprintf("%s is set-uid or set-gid: its loader ignores LD_PRELOAD", executable);
    case OBSTACLE_CAPABILITIES:
        return xasprintf("%s has file capabilities: its loader ignores LD_PRELOAD", executable);
    case OBSTACLE_STATIC:
        return xasprintf("%s is statically linked: it has no loader that would preload",
                         executable);
    case OBSTACLE_PLACE:
        return describe_place();
    }
    return NULL;
}

#define REPLAY "coldboost run -p PROFILE then reads ahead of it"

/* Its owner gains no privileges, so that a recording may preload. */
static char *remedy_of_privileges(const struct program *program)
{
    char *user =
        program->set_uid && program->owner ? xasprintf("user %u", program->owner) : xstrdup("root");
    char *group = program->set_gid && program->group ? xasprintf(", with group %u", program->group)
                                                     : xstrdup("");
    char *remedy = xasprintf(
        "record it as %s%s, who gains no privileges by it; " REPLAY ", for everybody", user, group);
    free(user);
    free(group);
    return remedy;
}

char *obstacle_remedy(const struct program *program)
{
    switch (program->obstacle) {
    case OBSTACLE_SET_ID:
    case OBSTACLE_CAPABILITIES:
        return remedy_of_privileges(program);
    case OBSTACLE_STATIC:
        return xstrdup("coldboost record watches it from outside; " REPLAY);
    case OBSTACLE_CLASS:
        return xstrdup("use a 64-bit build of it");
    case OBSTACLE_MACHINE:
        return xstrdup("use a build of it for this machine");
    case OBSTACLE_PLACE:
        return xstrdup("install coldboost in a folder that LD_PRELOAD can name");
    default:
        return NULL;
    }
}

void obstacle_check_place(struct program *program)
{
    char *object = program->obstacle ? NULL : look_for_component("libcoldboost.so");
    if (object && !become_can_name(object))
        program->obstacle = OBSTACLE_PLACE;
    free(object);
}

void find_program(const char *command, struct program *out)
{
    if (program_search(command, environ, out))
        program_probe(out);
    obstacle_check_place(out);
    if (obstacle_is_final(out->obstacle))
        fail(out->obstacle == OBSTACLE_NOT_EXECUTABLE || out->obstacle == OBSTACLE_FOLDER ||
                     out->obstacle == OBSTACLE_TOO_DEEP
                 ? EXIT_CANNOT_EXECUTE
                 : EXIT_NOT_FOUND,
             "%s", obstacle_text(out));
}
