/*
 * store_traces.h: starts that are recorded where nobody would reap a watcher.
 *
 * The recorder then writes its trace into NAME.trace of the store, and the next start that is to be
 * recorded, whatever it starts, makes the profiles of all traces that are over.
 */
#pragma once

#include "profile/store_files.h"
#include "start/program.h"
#include "start/store.h"

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/*
 * As keep_alone(), for the process of this number. False if there is a trace of this start, or so
 * many of others that they have to be taken first.
 */
bool store_traces_begin(const struct program *program, const struct store_entry *entry,
                        pid_t process, uint64_t most_ns);

/*
 * Unites a recording, which began at `since`, with what the store has for the start of the entry;
 * the caller has the start's lock. bytes: its profile, freed here; NULL: it cannot be recorded.
 */
typedef void store_keeper(int folder, struct store_entry *entry, uint8_t *bytes, size_t size,
                          const struct timespec *since);

/* Marks the starts whose traces wait for that, and adds those that are not among the items. */
struct store_item *store_traces_list(int folder, struct store_item *items, size_t *count);

/*
 * Has the keeper keep what is over, in a process of its own that has ended then. entry: the start
 * that is recorded. Returns whether there was any.
 */
bool store_traces_take(const struct store_entry *entry, store_keeper *keep);
