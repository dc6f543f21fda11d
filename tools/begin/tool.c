/*
 * tool.c: executes coldboost-tool beside a program.
 */
#include "begin/tool.h"

#include "base/sys.h"
#include "base/text.h"

#include <unistd.h>

char **tool_arguments(char *const *words, char *const *command)
{
    size_t word_count = text_count(words), count = text_count(command);
    char **arguments = sys_map((1 + word_count + count + 1) * sizeof *arguments, MAP_PRIVATE);
    if (!arguments)
        return NULL;
    arguments[0] = (char *)(uintptr_t) "coldboost";
    for (size_t i = 0; i < word_count; i++)
        arguments[1 + i] = words[i];
    for (size_t i = 0; i < count; i++)
        arguments[1 + word_count + i] = command[i];
    return arguments;
}

/* Descriptors from..to. Before Linux 5.9 one by one, as far as programs commonly have them. */
static void close_all(unsigned from, unsigned to)
{
    enum { MOST = 4096 };
    if (from > to || sys_close_range(from, to, 0) == 0)
        return;
    for (unsigned fd = from; fd <= to && fd < MOST; fd++)
        sys_close((int)fd);
}

static void detach(int kept)
{
    sys_new_session();
    close_all(STDERR_FILENO + 1, (unsigned)kept - 1);
    if (kept >= 0)
        close_all((unsigned)kept + 1, ~0u);
    int null = sys_open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (null == fd)
            sys_keep_open(fd);
        else if (null >= 0)
            sys_duplicate_to(null, fd);
        else
            sys_close(fd);
    if (kept >= 0)
        sys_keep_open(kept);
}

/* What the program's loader is told is not meant for the tool: it is no start of its own, and may
 * not bear the program's libraries. */
static void tell_loader_nothing(char **envp)
{
    char **to = envp;
    for (; *envp; envp++)
        if (!text_after(*envp, "LD_"))
            *to++ = *envp;
    *to = NULL;
}

void tool_become(const char *tool, char **arguments, char *const *envp, int kept)
{
    detach(kept);
    tell_loader_nothing((char **)(uintptr_t)envp); /* of this process */
    sys_execute(tool, arguments, envp);
}

int tool_run(const char *tool, char **arguments, char *const *envp)
{
    long child = sys_fork();
    if (child == 0) {
        tool_become(tool, arguments, envp, -1);
        sys_exit(127);
    }
    int status = child > 0 ? sys_reap(child) : -1;
    return (status & 0x7f) == 0 ? status >> 8 : -1; /* else a signal's number, or all bits */
}
