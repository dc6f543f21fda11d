/*
 * outside_calls.h: what the system calls of a thread that is watched from outside say about the
 * files that it needs.
 */
#pragma once

#include "trace/format.h"
#include "watch/sampler.h"

#include <sys/types.h>

enum { CALLS_RECENT = 1024 };

struct watched_call;

struct watched_thread {
    pid_t id, process;
    const struct watched_call *call; /* that it is in, if its end matters */
    uint64_t arguments[6];
};

/* Where it is noted. */
struct call_log {
    struct trace_header *trace;
    struct sampler *sampler;
    uint64_t recent[CALLS_RECENT]; /* single pages noted lately */
};

/* The stopped thread is about to make a call, or has made the one that began last. */
void calls_begin(struct call_log *log, struct watched_thread *thread, uint64_t number,
                 const uint64_t *arguments);
void calls_end(struct call_log *log, struct watched_thread *thread, int64_t result);

/* The position that a descriptor has by the text of /proc/PID/fdinfo/N; -1 if it has none. */
int64_t outside_position(const char *text);
