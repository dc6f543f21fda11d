/*
 * watcher.h: begins to record the start that this process is about to become: makes its trace, and
 * the watcher that stands beside it.
 *
 * The program waits for two forks and for no more: the watcher becomes coldboost-tool, which takes
 * longer than all of this, while the program starts. Without libc, because the front has none: no
 * output, no errno, nothing left open but what exec closes.
 */
#pragma once

#include "start/store.h"

#include <stdbool.h>
#include <stdint.h>

/* What the watcher executes is a tool's command: "coldboost watch TRACE COMMAND…". */
#define WATCHER_COMMAND       "watch"
#define WATCHER_PATH_BYTES    64
#define WATCHER_MAPPING_BYTES 96

/* What stands in the trace, for the watcher. */
struct watcher_note {
    struct store_entry entry;      /* of the start */
    uint64_t since_ns;             /* CLOCK_REALTIME, when the recording began */
    uint32_t program;              /* the process id */
    char before[STORE_PATH_BYTES]; /* the executable of that process until it is the program */
};

/*
 * Starts a watcher, which is no child of this process, and executes the tool with these variables.
 * path: where the program is to open the trace. Returns whether the program can be recorded; where
 * not, nothing has changed.
 */
bool watcher_start(const char *tool, const struct store_entry *entry, char *const *command,
                   char *const *envp, char path[WATCHER_PATH_BYTES]);

/* What the trace of the program with this process id is called in /proc/PID/maps. */
void watcher_mapping(uint32_t program, char mapping[WATCHER_MAPPING_BYTES]);
