/*
 * last_thread.c: four fields of /proc/self/stat. See last_thread.h.
 */
#include "replay/last_thread.h"

#include "base/sys.h"

enum { STATE = 3, FLAGS = 9, THREADS = 20, EXIT_CODE = 52, LINE_BYTES = 1024 };
#define PF_EXITING 4u
/* How often to look whether a thread that is about to end has ended. */
#define LOOK_NS 50000

struct first_thread first_thread_parse(const char *line, size_t size)
{
    size_t at = size;
    while (at > 0 && line[at - 1] != ')') /* behind the name, which may contain anything */
        at--;
    unsigned threads = 0, code = 0, flags = 0, field = STATE - 1;
    char state = '\0';
    for (; at < size; at++) {
        char c = line[at];
        if (c == ' ')
            field++;
        else if (field == STATE)
            state = c;
        else if (field == FLAGS && c >= '0' && c <= '9')
            flags = flags * 10 + (unsigned)(c - '0');
        else if (field == THREADS && c >= '0' && c <= '9')
            threads = threads * 10 + (unsigned)(c - '0');
        else if (field == EXIT_CODE && c >= '0' && c <= '9')
            code = code * 10 + (unsigned)(c - '0');
    }
    struct first_thread ended = {.is_ending = state != 'Z' && (flags & PF_EXITING)};
    if (state == 'Z' && (code & 0x7f) == 0)
        ended.exit_status = code >> 8 & 0xff;
    else if (state == 'Z' && threads == 2) /* it counts until the last one is gone */
        ended.signal = code & 0x7f;
    return ended;
}

struct first_thread first_thread_read(void)
{
    char line[LINE_BYTES];
    struct first_thread ended;
    do
        ended = first_thread_parse(line, sys_read_text("/proc/self/stat", line, sizeof line));
    while (ended.is_ending && sys_sleep_ns(LOOK_NS) == 0);
    return ended;
}
