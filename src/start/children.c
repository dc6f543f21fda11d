/*
 * children.c: takes our own entry out of LD_PRELOAD and LD_AUDIT.
 *
 * A bootstrap script starts dozens of programs that live for a millisecond, and to load an object
 * costs each of them 4 % of that, whatever it does. Runs in the constructor, before the shell's own
 * libc has read its environment: no libc, and nothing but those two variables is touched.
 */
#include "start/children.h"

#include "base/text.h"

#define OBJECT "libcoldboost.so"

/* The lists, and what stands between their entries as the loaders of glibc and musl have it. */
static const struct list {
    const char *name;
    char separators[2];
} lists[] = {{"LD_PRELOAD=", {' ', ':'}}, {"LD_AUDIT=", {':', ':'}}};

static bool separates(const struct list *list, char c)
{
    return c == list->separators[0] || c == list->separators[1];
}

/* Whether the last part of the path from `begin` to `end` is the object's name. */
static bool is_object(const char *begin, const char *end)
{
    const size_t length = sizeof OBJECT - 1;
    return (size_t)(end - begin) >= length && bytes_equal(end - length, OBJECT, length) &&
           ((size_t)(end - begin) == length || end[-(long)length - 1] == '/');
}

/* Returns whether anything is left. What follows the list is zeroed: /proc/PID/environ shows it. */
static bool take_out(const struct list *list, char *value)
{
    char *to = value;
    for (char *from = value; *from;) {
        char *begin = from, *end;
        while (separates(list, *begin))
            begin++;
        for (end = begin; *end && !separates(list, *end); end++) {
        }
        if (!is_object(begin, end))
            for (char *at = to == value ? begin : from; at < end; at++)
                *to++ = *at;
        from = end;
    }
    bool left = to != value;
    while (*to)
        *to++ = '\0';
    return left;
}

void children_spare(char **envp)
{
    char **to = envp;
    for (; *envp; envp++) {
        bool stays = true;
        for (const struct list *list = lists; list < lists + sizeof lists / sizeof *lists; list++) {
            const char *value = text_after(*envp, list->name);
            stays = stays && (!value || take_out(list, *envp + (value - *envp)));
        }
        if (stays)
            *to++ = *envp;
    }
    while (*to)
        *to++ = NULL;
}
