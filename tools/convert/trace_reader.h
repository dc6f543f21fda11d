/*
 * trace_reader.h: from a trace (preload/trace/format.h) to a recording: which pages of which files
 * each executable needed, in the order of their first touch.
 */
#ifndef CB_TOOLS_TRACE_H
#define CB_TOOLS_TRACE_H

#include "replay/profile.h"
#include "trace/format.h"

#include <stddef.h>
#include <time.h>

struct recorded_file {
    char *path;
    struct profile_file identity; /* all but its path */
};

struct recorded_executable {
    char *path;
    struct profile_range *ranges; /* as a profile has them */
    size_t range_count;
};

struct recording {
    struct recorded_file *files; /* by path */
    size_t file_count;
    struct recorded_executable *executables;
    size_t executable_count;
    uint64_t page_count; /* distinct pages of files, whoever needed them */
};

struct trace_options {
    uint32_t epoch_us;
    struct timespec since;    /* files written from this time on are left out (CLOCK_REALTIME) */
    const char *const *leave; /* paths that are left out, ends with NULL */
};

/*
 * Makes a recording of the trace's records. Looks at the files it names; trusts nothing it says.
 * The result is the caller's to free, with recording_free().
 */
void trace_read(const struct trace_header *trace, const struct trace_options *options,
                struct recording *out);

/* The index of the file at this path, or NOT_RECORDED. */
#define NOT_RECORDED UINT32_MAX
uint32_t recording_find(const struct recording *recording, const char *path);

void recording_free(struct recording *recording);

#endif
