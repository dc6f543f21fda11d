/*
 * trace_records.c: see trace_records.h.
 */
#include "convert/trace_records.h"

#include <string.h>

size_t trace_end(const struct trace_header *trace)
{
    size_t end = trace->next_unit, last = trace_units();
    return end < last ? end : last;
}

const void *trace_next(const struct trace_header *trace, uint32_t kind, struct trace_cursor *at)
{
    size_t end = trace_end(trace);
    for (;;) {
        at->unit = at->unit ? at->unit + at->units : TRACE_FIRST_UNIT;
        if (at->unit >= end)
            return NULL;
        at->record = (const void *)((const uint8_t *)trace + at->unit * TRACE_UNIT);
        size_t units = at->record->units;
        bool is_whole = units > 0 && units <= end - at->unit;
        at->units = is_whole ? units : units ? end - at->unit : 1;
        if (is_whole && at->record->kind == (kind | TRACE_COMPLETE))
            return at->record;
    }
}

const char *trace_whole_path(const struct trace_cursor *at, const char *path)
{
    const char *end = (const char *)at->record + at->units * TRACE_UNIT;
    return path < end && *path == '/' && memchr(path, '\0', (size_t)(end - path)) ? path : NULL;
}
