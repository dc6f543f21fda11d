/*
 * maps.c: parses lines "START-END PERM OFFSET MAJOR:MINOR INODE   PATH" (proc_pid_maps(5)).
 * Believes none of them: a process calls its files what it likes.
 */
#include "trace/maps.h"

#include "base/sys.h"
#include "base/text.h"

static uint64_t parse_number(const char **text, unsigned base)
{
    uint64_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

/* A number, and the character that must stand behind it. */
static bool parse_field(const char **text, unsigned base, char end, uint64_t *out)
{
    *out = parse_number(text, base);
    return *(*text)++ == end;
}

static uint32_t decode_newlines(char *path, uint32_t length)
{
    uint32_t decoded = 0;
    for (uint32_t i = 0; i < length; decoded++) {
        bool newline = text_after(path + i, "\\012");
        path[decoded] = newline ? '\n' : path[i];
        i += newline ? 4 : 1;
    }
    path[decoded] = '\0';
    return decoded;
}

bool maps_parse(char *line, uint32_t length, struct mapping *out)
{
    const char *next = line;
    uint64_t start, end, major, minor;
    if (!parse_field(&next, 16, '-', &start) || !parse_field(&next, 16, ' ', &end) ||
        line + length - next < 5)
        return false;
    out->executable = next[2] == 'x';
    next += 4;
    if (*next++ != ' ' || !parse_field(&next, 16, ' ', &out->offset) ||
        !parse_field(&next, 16, ':', &major) || !parse_field(&next, 16, ' ', &minor))
        return false;
    out->inode = parse_number(&next, 10);
    while (*next == ' ')
        next++;
    if (start >= end || !out->inode || *next != '/')
        return false;
    out->start = start;
    out->end = end;
    out->device = (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~UINT64_C(0xff)) << 12 |
                  (major & ~UINT64_C(0xfff)) << 32;
    out->path = next;
    out->path_length = decode_newlines(line + (next - line), (uint32_t)(line + length - next));
    return true;
}

/* Hands out the whole lines at the beginning of text and returns what is left of it. */
static uint32_t visit_lines(char *text, uint32_t length,
                            void (*visit)(const struct mapping *, void *), void *context)
{
    uint32_t line = 0;
    for (uint32_t i = 0; i < length; i++) {
        struct mapping mapping;
        if (text[i] != '\n')
            continue;
        text[i] = '\0';
        if (maps_parse(text + line, i - line, &mapping))
            visit(&mapping, context);
        line = i + 1;
    }
    for (uint32_t i = line; i < length; i++)
        text[i - line] = text[i];
    return length - line;
}

int maps_visit(int fd, char *buffer, void (*visit)(const struct mapping *mapping, void *context),
               void *context)
{
    uint32_t have = 0;
    for (;;) {
        long n = sys_read(fd, buffer + have, MAPS_BYTES - have);
        if (n <= 0)
            return (int)n;
        have = visit_lines(buffer, have + (uint32_t)n, visit, context);
        if (have == MAPS_BYTES)
            return -E2BIG; /* no line is this long */
    }
}
