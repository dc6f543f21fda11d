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

/* Writes NAME=VALUE[:MORE] to `text`, replaces or adds it in an environment that has room, and
 * returns where the next text goes. Changes nothing for the value "". */
static char *set(const char **envp, char *text, const char *name, const char *value,
                 const char *more)
{
    if (!*value)
        return text;
    for (; *envp; envp++) {
        const char *rest = text_after(*envp, name);
        if (rest && *rest == '=')
            break;
    }
    *envp = text;
    const char *const parts[] = {name, "=", value, more && *more ? ":" : "", more ? more : ""};
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        length = text_append(text, SIZE_MAX, length, parts[i]);
    return text + length + 1;
}

char *const *become_environment(char *const *envp, const char *profile, const char *object,
                                const char *id)
{
    static const char names[] = "COLDBOOST_PROFILE=LD_PRELOAD=:" HANDOVER_VARIABLE "=";
    if (!become_can_name(object))
        object = "";
    const char *others = environment_get(envp, "LD_PRELOAD");
    size_t count = text_count(envp);
    size_t text = sizeof names + text_length(profile) + 1 + text_length(object) + 1 +
                  text_length(id) + 1 + (others ? text_length(others) + 1 : 0);
    const size_t added = 3;
    /* Zeroed: it ends wherever it ends. */
    const char **extended = sys_map((count + added + 1) * sizeof *envp + text, MAP_PRIVATE);
    if (!extended)
        return NULL;
    for (size_t i = 0; i < count; i++)
        extended[i] = envp[i];
    char *at = (char *)(extended + count + added + 1);
    at = set(extended, at, "COLDBOOST_PROFILE", profile, NULL);
    at = set(extended, at, "LD_PRELOAD", object, others);
    set(extended, at, HANDOVER_VARIABLE, id, NULL);
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
