/*
 * threads.h: the threads of a replay: a leader, in a process of its own or in the program, its
 * workers, and in that process a watcher that sees the program end.
 */
#pragma once

#include "replay/plan.h"

#include <stddef.h>

/*
 * At the beginning of a mapping, which also holds the stacks. Zero-initialise, set the fields above
 * the blank line; the rest is threads.c's. Every function that runs in a thread is given this.
 */
struct threads {
    size_t mapped_bytes;
    uint8_t *stacks; /* of threads_stack_bytes() */
    struct replay_plan plan;
    enum replay_state (*lead)(void *threads);

    unsigned started_workers; /* beside the leader */
    long program_id;          /* the process that must not be outlived */
    int ids[REPLAY_MOST_WORKERS + 1];
};

size_t threads_stack_bytes(unsigned most_workers);

/*
 * Starts lead() in a thread of the caller, which unmaps all when it is done, or in a process that
 * no wait() of the caller's sees. Returns a negative errno if that cannot be. With a thread,
 * nothing of `threads` may be used afterwards.
 */
long threads_start_leader(struct threads *threads);

/*
 * For the leader: starts a worker, which ends by sys_exit_thread(); does nothing if there are
 * most_workers already. threads_join() waits until all have ended.
 */
void threads_start_worker(struct threads *threads, void (*run)(void *threads));
bool threads_may_grow(const struct threads *threads);
void threads_join(struct threads *threads);
