/*
 * ahead.c: what coldboost run and coldboost-wrapper do before they become the program.
 */
#include "start/ahead.h"

#include "base/sys.h"
#include "base/text.h"
#include "start/options.h"

#define MAX_INTERPRETERS 5 /* scripts whose interpreter is a script: the kernel's own limit */
#define MAX_LINKS        8
#define HEAD_BYTES       256 /* so much of a "#!" line the kernel reads */
/* libcoldboost.so without its symbols, and what devices read ahead at once anyway. */
#define OBJECT_BYTES (128u << 10)

/* A directory may be "executed" too. */
static bool is_program(const char *path)
{
    if (!sys_may_execute(path))
        return false;
    int fd = sys_open(path, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        sys_close(fd);
    return fd < 0;
}

const char *ahead_find_command(const char *command, char *const *envp,
                               char buffer[AHEAD_PATH_BYTES])
{
    for (const char *c = command; *c; c++)
        if (*c == '/')
            return command;
    const char *at = environment_get(envp, "PATH");
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin";; at++) {
        size_t length = 0;
        for (; *at && *at != ':'; at++)
            if (length + 1 < AHEAD_PATH_BYTES)
                buffer[length++] = *at;
        length = text_append(buffer, AHEAD_PATH_BYTES, length, length ? "/" : "./");
        length = text_append(buffer, AHEAD_PATH_BYTES, length, command);
        /* What fills the buffer may have been cut, and is too long for the kernel anyway. */
        if (length + 1 < AHEAD_PATH_BYTES && is_program(buffer))
            return buffer;
        if (!*at)
            return NULL;
    }
}

bool ahead_resolve(const char *path, char resolved[AHEAD_PATH_BYTES])
{
    int fd = sys_open(path, O_PATH);
    if (fd < 0)
        return false;
    char link[TEXT_DESCRIPTOR_LINK];
    long length = sys_readlink(text_descriptor_link(link, fd), resolved, AHEAD_PATH_BYTES - 1);
    sys_close(fd);
    if (length <= 0)
        return false;
    resolved[length] = '\0';
    return *resolved == '/'; /* or it is a pipe, or out of our reach */
}

void ahead_read_object(const char *path)
{
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    sys_advise(fd, OBJECT_BYTES, POSIX_FADV_WILLNEED);
    sys_close(fd);
}

/* Where the symbolic links of the last part of a path lead; the length of that. */
static long follow(const char *path, char end[AHEAD_PATH_BYTES])
{
    char link[AHEAD_PATH_BYTES];
    size_t length = text_append(end, AHEAD_PATH_BYTES, 0, path);
    for (int depth = 0; depth < MAX_LINKS; depth++) {
        long n = sys_readlink(end, link, sizeof link - 1);
        if (n <= 0)
            break;
        link[n] = '\0';
        while (*link == '/' ? length > 0 : length > 0 && end[length - 1] != '/')
            length--;
        length = text_append(end, AHEAD_PATH_BYTES, length, link);
    }
    return (long)length;
}

long ahead_own_folder(const char *called, char folder[AHEAD_PATH_BYTES])
{
    long length = sys_readlink("/proc/self/exe", folder, AHEAD_PATH_BYTES - 1);
    if (length < 0 && called)
        length = follow(called, folder);
    while (length > 0 && folder[--length] != '/') {
    }
    folder[length > 0 ? length : 0] = '\0';
    return length;
}

/* The beginning of a file, terminated; how many bytes, or -1. */
static long read_head(const char *path, char head[HEAD_BYTES + 1])
{
    int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    long n = fd < 0 ? -1 : sys_pread(fd, head, HEAD_BYTES, 0);
    if (fd >= 0)
        sys_close(fd);
    head[n > 0 ? n : 0] = '\0';
    return n;
}

/* Neither an ELF file, nor a NUL byte in the first line. */
static bool is_text(const char *head, long bytes)
{
    if (bytes < 0 || text_after(head, "\177ELF"))
        return false;
    long end = 0;
    while (end < bytes && head[end] && head[end] != '\n')
        end++;
    return end == bytes || head[end];
}

bool ahead_is_for_shell(const char *path)
{
    char head[HEAD_BYTES + 1];
    long bytes = read_head(path, head);
    return is_text(head, bytes) && !text_after(head, "#!");
}

/* What executes the file: the interpreter on a script's first line, as the kernel reads it; the
 * shell for a text without; NULL if the kernel does. */
static const char *find_interpreter(const char *path, char head[HEAD_BYTES + 1])
{
    long bytes = read_head(path, head);
    const char *interpreter = bytes > 0 ? text_after(head, "#!") : NULL;
    if (!interpreter)
        return is_text(head, bytes) ? AHEAD_SHELL : NULL;
    while (*interpreter == ' ' || *interpreter == '\t')
        interpreter++;
    char *end = head + (interpreter - head);
    while (*end && *end != ' ' && *end != '\t' && *end != '\n')
        end++;
    *end = '\0';
    return *interpreter ? interpreter : NULL;
}

bool ahead_find_executable(const char *path, char executable[AHEAD_PATH_BYTES])
{
    char head[HEAD_BYTES + 1];
    for (int depth = 0;; depth++) {
        if (!ahead_resolve(path, executable))
            return false;
        path = depth < MAX_INTERPRETERS ? find_interpreter(executable, head) : NULL;
        if (!path)
            return true;
    }
}

long ahead_execute(const char *path, char **argv, char *const *envp)
{
    long error = sys_execute(path, argv, envp);
    if (error == -ENOEXEC && ahead_is_for_shell(path)) {
        char *own[] = {argv[-1], argv[0]};
        argv[-1] = (char *)(uintptr_t)AHEAD_SHELL;
        argv[0] = (char *)(uintptr_t)path;
        sys_execute(AHEAD_SHELL, argv - 1, envp);
        argv[-1] = own[0];
        argv[0] = own[1];
    }
    return error;
}

bool ahead_can_name(const char *path)
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

char *const *ahead_extend(char *const *envp, const char *profile, const char *object,
                          const char *id)
{
    static const char names[] = "COLDBOOST_PROFILE=LD_PRELOAD=:COLDBOOST_STARTED=";
    if (!ahead_can_name(object))
        object = "";
    const char *others = environment_get(envp, "LD_PRELOAD");
    size_t count = 0, text = sizeof names + text_length(profile) + 1 + text_length(object) + 1 +
                             text_length(id) + 1 + (others ? text_length(others) + 1 : 0);
    while (envp[count])
        count++;
    const size_t added = 3;
    void *memory = sys_map((count + added + 1) * sizeof *envp + text, MAP_PRIVATE);
    if (!memory)
        return NULL;
    const char **extended = memory; /* zeroed: it ends wherever it ends */
    for (size_t i = 0; i < count; i++)
        extended[i] = envp[i];
    char *at = (char *)(extended + count + added + 1);
    at = set(extended, at, "COLDBOOST_PROFILE", profile, NULL);
    at = set(extended, at, "LD_PRELOAD", object, others);
    set(extended, at, "COLDBOOST_STARTED", id, NULL);
    return memory;
}
