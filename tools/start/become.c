/*
 * become.c: reads the object, sets the environment, executes the program.
 */
#include "start/become.h"

#include "base/executable.h"
#include "base/sys.h"
#include "base/text.h"
#include "start/handover.h"
#include "start/options.h"

void become_read_ahead(const char *path, size_t bytes)
{
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    sys_advise(fd, bytes, POSIX_FADV_WILLNEED);
    sys_close(fd);
}

bool become_can_name(const char *path)
{
    static const char *const tokens[] = {"ORIGIN", "LIB", "PLATFORM"};
    for (; *path; path++) {
        if (*path == ':' || *path == ' ' || (*path >= '\t' && *path <= '\r'))
            return false;
        for (size_t i = 0; *path == '$' && i < sizeof tokens / sizeof *tokens; i++)
            if (text_after(path + (path[1] == '{' ? 2 : 1), tokens[i]))
                return false;
    }
    return true;
}

/* A variable, as the parts of its value. */
struct variable {
    const char *name;
    const char *parts[5];
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static size_t append_parts(char *text, size_t at, const struct variable *variable)
{
    for (size_t i = 0; i < COUNT(variable->parts); i++)
        at = text_append(text, SIZE_MAX, at, variable->parts[i]);
    return at;
}

static size_t room_of(const struct variable *variable)
{
    size_t room = text_length(variable->name) + sizeof "=";
    for (size_t i = 0; i < COUNT(variable->parts); i++)
        room += text_length(variable->parts[i]);
    return room;
}

/* Writes NAME=VALUE to `text`, replaces or adds it in an environment that has room, and returns
 * where the next text goes. Changes nothing where the first part of the value is "". */
static char *put(const char **envp, char *text, const struct variable *variable)
{
    if (!*variable->parts[0])
        return text;
    for (; *envp; envp++) {
        const char *rest = text_after(*envp, variable->name);
        if (rest && *rest == '=')
            break;
    }
    *envp = text;
    size_t at = text_append(text, SIZE_MAX, 0, variable->name);
    at = append_parts(text, text_append(text, SIZE_MAX, at, "="), variable);
    return text + at + 1;
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

char *const *become_environment(char *const *envp, const struct become_variables *set)
{
    const char *object = set->object && become_can_name(set->object) ? set->object : "";
    const char *recorder = or_nothing(set->recorder);
    const char *others = or_nothing(environment_get(envp, "LD_PRELOAD"));
    const struct variable variables[] = {
        {"COLDBOOST_PROFILE", {or_nothing(set->profile), "", "", "", ""}},
        {"LD_PRELOAD", {object, *recorder ? ":" : "", recorder, *others ? ":" : "", others}},
        {"COLDBOOST_TRACE", {or_nothing(set->trace), "", "", "", ""}},
        {HANDOVER_VARIABLE, {or_nothing(set->id), "", "", "", ""}},
    };
    size_t count = text_count(envp), room = 0;
    for (size_t i = 0; i < COUNT(variables); i++)
        room += room_of(&variables[i]);
    /* Zeroed: it ends wherever it ends. */
    size_t most = count + COUNT(variables) + 1;
    const char **extended = sys_map(most * sizeof *envp + room, MAP_PRIVATE);
    if (!extended)
        return NULL;
    for (size_t i = 0; i < count; i++)
        extended[i] = envp[i];
    char *at = (char *)(extended + most);
    for (size_t i = 0; i < COUNT(variables); i++)
        at = put(extended, at, &variables[i]);
    return (char *const *)(uintptr_t)extended;
}

void become_insert_shell(const char *path, char **argv)
{
    argv[-1] = (char *)(uintptr_t)EXECUTABLE_SHELL;
    argv[0] = (char *)(uintptr_t)path;
}

static bool is_for_shell(const char *path)
{
    struct executable file;
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool text = executable_read(fd, &file) == 0 && file.kind == EXECUTABLE_TEXT;
    sys_close(fd);
    return text;
}

long become_program(const char *path, char **argv, char *const *envp)
{
    long error = sys_execute(path, argv, envp);
    if (error == -ENOEXEC && is_for_shell(path)) {
        char *own[] = {argv[-1], argv[0]};
        become_insert_shell(path, argv);
        sys_execute(EXECUTABLE_SHELL, argv - 1, envp);
        argv[-1] = own[0];
        argv[0] = own[1];
    }
    return error;
}
