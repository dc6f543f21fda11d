/*
 * outside.h: records from outside, with ptrace, what cannot be preloaded: static programs, and
 * those that make their system calls without libc.
 */
#ifndef CB_OUTSIDE_H
#define CB_OUTSIDE_H

#include "trace/format.h"

#include <sys/types.h>

/*
 * Watches this thread and all that it will start, which must wait in watched_begin(), and answers
 * it. The watching is done by a process of its own. It ends with the last watched program, or, when
 * the recording is to stop before that, lets go of all of them.
 */
void outside_watch(struct trace_header *trace, const char *trace_mapping, pid_t thread);

/* Watches whoever has asked for it. */
void outside_serve(struct trace_header *trace, const char *trace_mapping);

/* The position that a descriptor has by the text of /proc/PID/fdinfo/N; -1 if it has none. */
int64_t outside_position(const char *text);

#endif
