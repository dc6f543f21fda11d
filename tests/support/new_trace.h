/*
 * new_trace.h: an empty trace in memory, mapped as the tool and recorded programs map theirs.
 */
#pragma once

#include "trace/format.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of so many bytes; the caller's to unmap. */
static inline struct trace_header *new_trace(size_t bytes)
{
    const struct trace_header header = {
        .magic = TRACE_MAGIC,
        .bytes = bytes,
        .next_unit = TRACE_FIRST_UNIT,
    };
    char path[32];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
              write(fd, &header, sizeof header) == (ssize_t)sizeof header);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct trace_header *trace = trace_map(path);
    cr_assert_not_null(trace);
    close(fd);
    return trace;
}
