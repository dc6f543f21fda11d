/*
 * last_thread.c: three fields of /proc/self/stat. See last_thread.h.
 */
#include "replay/last_thread.h"

#include "base/sys.h"

enum { STATE = 3, THREADS = 20, EXIT_CODE = 52, LINE_BYTES = 1024 };

struct first_thread first_thread_parse(const char *line, size_t size)
{
    size_t at = size;
    while (at > 0 && line[at - 1] != ')') /* behind the name, which may contain anything */
        at--;
    unsigned threads = 0, code = 0, field = STATE - 1;
    char state = '\0';
    for (; at < size; at++) {
        char c = line[at];
        if (c == ' ')
            field++;
        else if (field == STATE)
            state = c;
        else if (field == THREADS && c >= '0' && c <= '9')
            threads = threads * 10 + (unsigned)(c - '0');
        else if (field == EXIT_CODE && c >= '0' && c <= '9')
            code = code * 10 + (unsigned)(c - '0');
    }
    struct first_thread ended = {.exit_status = 0};
    if (state == 'Z' && (code & 0x7f) == 0)
        ended.exit_status = code >> 8 & 0xff;
    else if (state == 'Z' && threads == 2) /* it counts until the last one is gone */
        ended.signal = code & 0x7f;
    return ended;
}

struct first_thread first_thread_read(void)
{
    char line[LINE_BYTES];
    return first_thread_parse(line, sys_read_text("/proc/self/stat", line, sizeof line));
}
