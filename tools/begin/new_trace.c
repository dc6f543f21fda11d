/*
 * new_trace.c: the first writes into a trace, before any program maps it.
 */
#include "begin/new_trace.h"

#include "base/sys.h"

uint16_t new_trace_note_units(size_t note_bytes)
{
    return (uint16_t)((sizeof(struct note) + note_bytes + TRACE_UNIT - 1) / TRACE_UNIT);
}

static bool put(int fd, const void *bytes, size_t size, size_t at)
{
    return sys_pwrite(fd, bytes, size, at) == (long)size;
}

bool new_trace_write(int fd, struct trace_header *header, const void *note, size_t note_bytes)
{
    static const char magic[] = TRACE_MAGIC;
    const struct note front = {
        .record = {TRACE_NOTE | TRACE_COMPLETE, new_trace_note_units(note_bytes)}};
    for (size_t i = 0; i < sizeof header->magic; i++)
        header->magic[i] = (uint8_t)magic[i];
    header->start_ns = sys_monotonic_ns();
    header->next_unit = TRACE_FIRST_UNIT + front.record.units;
    return note_bytes <= NEW_TRACE_NOTE_MOST && put(fd, &front, sizeof front, NEW_TRACE_NOTE_AT) &&
           put(fd, note, note_bytes, NEW_TRACE_NOTE_AT + sizeof front) &&
           put(fd, header, offsetof(struct trace_header, stacks), 0); /* the rest is zero */
}
