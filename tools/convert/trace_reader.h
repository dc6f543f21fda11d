/*
 * trace_reader.h: from a trace (preload/trace/format.h) to a recording: which pages of which files
 * each executable needed, in the order of their first touch.
 */
#pragma once

#include "convert/recording.h"
#include "trace/format.h"

#include <stddef.h>
#include <time.h>

struct trace_options {
    uint32_t epoch_us;
    struct timespec since;    /* files written from this time on are left out (CLOCK_REALTIME) */
    const char *const *leave; /* paths that are left out, ends with NULL */
    bool by_path;             /* devices and inodes may be others now: another container's */
};

/*
 * Makes a recording of the trace's records. Looks at the files it names; trusts nothing it says.
 * The result is the caller's to free, with recording_free().
 */
void trace_read(const struct trace_header *trace, const struct trace_options *options,
                struct recording *out);
