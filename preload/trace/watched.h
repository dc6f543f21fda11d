/*
 * watched.h: what a program that is about to be watched from outside does itself, between fork and
 * exec, and the system calls that are looked at.
 */
#pragma once

#include "trace/format.h"

/*
 * The calls at which a watched program stops: name, what its end says, and which arguments are the
 * descriptor and the offset.
 */
#define WATCHED_CALLS(X)                                                                           \
    X(read, READ_HERE, 0, 0)                                                                       \
    X(readv, READ_HERE, 0, 0)                                                                      \
    X(pread64, READ_AT, 0, 3)                                                                      \
    X(preadv, READ_AT, 0, 3)                                                                       \
    X(preadv2, READ_AT, 0, 3)                                                                      \
    X(sendfile, READ_BEHIND, 1, 2)                                                                 \
    X(copy_file_range, READ_BEHIND, 0, 1)                                                          \
    X(splice, READ_BEHIND, 0, 1)                                                                   \
    X(getdents64, LISTED, 0, 0)                                                                    \
    X(munmap, UNMAPS, 0, 0)                                                                        \
    X(execve, LEAVES, 0, 0)                                                                        \
    X(execveat, LEAVES, 0, 0)                                                                      \
    X(exit_group, LEAVES, 0, 0)

/*
 * Asks the tool to watch the calling thread, waits until it does, and then, where the recording
 * goes on to the end, lets the kernel pass over all calls but these. Returns 0, or -errno if the
 * thread is not watched; -ETIMEDOUT if nobody answers. System calls only.
 */
int watched_begin(struct trace_header *trace);

/* The tool's side: the thread that waits for an answer, 0 if there is none, once; and the answer.
 */
uint32_t watched_asks(struct trace_header *trace);
void watched_answer(struct trace_header *trace, uint32_t thread, int error);

/* Clears the request of a thread that is gone: nobody else could ask any more. */
void watched_forget(struct trace_header *trace, bool (*is_gone)(uint32_t thread));

#if defined(__x86_64__)
#define WATCHED_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define WATCHED_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define WATCHED_ARCHITECTURE 0u
#endif
