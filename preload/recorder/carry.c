/*
 * carry.c: the two variables that carry the recording, put back where a program left them out.
 */
#include "recorder/carry.h"

#include "base/text.h"
#include "trace/format.h"

#include <linux/limits.h>

#define OBJECT  "libcoldboost-record.so"
#define PRELOAD "LD_PRELOAD="

/* Copies: a program may overwrite the memory of its environment with its title. */
static char trace_entry[PATH_MAX];   /* TRACE_VARIABLE=path */
static char preload_entry[PATH_MAX]; /* LD_PRELOAD=path of this object, nothing else */

const char *record_variable(char *const *environment, const char *name)
{
    for (; environment && *environment; environment++) {
        const char *value = text_after(*environment, name);
        if (value)
            return value;
    }
    return NULL;
}

/* Where this object stands in a list of preloaded objects; *length is that of its path. */
static const char *find_object(const char *list, size_t *length)
{
    while (list && *list) {
        size_t n = 0;
        while (list[n] && list[n] != ':' && list[n] != ' ')
            n++;
        size_t tail = sizeof OBJECT - 1;
        if (n >= tail && bytes_equal(list + n - tail, OBJECT, tail)) {
            *length = n;
            return list;
        }
        list += n + (list[n] != '\0');
    }
    return NULL;
}

static char *append(char *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *to++ = text[i];
    *to = '\0';
    return to;
}

const char *record_remember_environment(char *const *given)
{
    size_t length;
    const char *path = record_variable(given, TRACE_VARIABLE "=");
    const char *object = find_object(record_variable(given, PRELOAD), &length);
    if (!path || !object || text_length(path) + sizeof TRACE_VARIABLE + 1 > sizeof trace_entry ||
        length + sizeof PRELOAD > sizeof preload_entry)
        return NULL;
    char *next = append(trace_entry, TRACE_VARIABLE "=", sizeof TRACE_VARIABLE);
    append(next, path, text_length(path));
    append(append(preload_entry, PRELOAD, sizeof PRELOAD - 1), object, length);
    return next;
}

size_t record_environment_bytes(char *const *given)
{
    size_t length, count = 0;
    const char *trace = record_variable(given, TRACE_VARIABLE "=");
    const char *preload = record_variable(given, PRELOAD);
    if (!trace_entry[0] || (trace && find_object(preload, &length)))
        return 0;
    while (given && given[count])
        count++;
    return (count + 3) * sizeof *given + text_length(preload_entry) + 1 +
           (preload ? text_length(preload) : 0) + 1;
}

char **record_environment(char *const *given, void *room)
{
    const char *preload = record_variable(given, PRELOAD);
    char **out = room;
    size_t count = 0;
    for (; given && *given; given++)
        if (!text_after(*given, PRELOAD) && !text_after(*given, TRACE_VARIABLE "="))
            out[count++] = *given;
    out[count++] = trace_entry;
    out[count] = (char *)&out[count + 2];
    char *end = append(out[count], preload_entry, text_length(preload_entry));
    if (preload && *preload)
        append(append(end, ":", 1), preload, text_length(preload));
    out[count + 1] = NULL;
    return out;
}
