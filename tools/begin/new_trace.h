/*
 * new_trace.h: a trace with a note in it, for whoever makes the profile of it. Without libc.
 */
#pragma once

#include "trace/format.h"

/* The note's place in a trace, and a limit for its size, in bytes. */
#define NEW_TRACE_NOTE_AT   ((size_t)TRACE_FIRST_UNIT * TRACE_UNIT)
#define NEW_TRACE_NOTE_MOST (1u << 20)

/* In front of a note. */
struct note {
    struct trace_record record;
    uint32_t reserved;
    uint8_t bytes[];
};

uint16_t new_trace_note_units(size_t note_bytes);

/*
 * Writes the beginning of a trace into a file that is as long as header->bytes and holds zeros: the
 * header, of which the caller has set what is particular, and the note. False if that fails.
 */
bool new_trace_write(int fd, struct trace_header *header, const void *note, size_t note_bytes);
