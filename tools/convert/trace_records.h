/*
 * trace_records.h: steps through the records of a trace (preload/trace/format.h). It was written by
 * programs that may have been killed, or may have written over it: a record is checked before it is
 * believed.
 */
#pragma once

#include "trace/format.h"

#include <stddef.h>

/* A place in a trace; all zero before the first record. */
struct trace_cursor {
    const struct trace_record *record;
    size_t unit, units; /* where it begins, and how long it is */
};

/* Steps to the next complete record of this kind, and returns it; NULL at the end. */
const void *trace_next(const struct trace_header *trace, uint32_t kind, struct trace_cursor *at);

/* A path inside the record; NULL unless it is whole and absolute. */
const char *trace_whole_path(const struct trace_cursor *at, const char *path);

/* The unit behind the last one. */
size_t trace_end(const struct trace_header *trace);
