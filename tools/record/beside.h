/*
 * beside.h: records a start from beside it: the process that was started becomes the program.
 */
#pragma once

#include "begin/watcher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What the watcher saw. */
struct beside_seen {
    struct timespec since;
    bool ended;          /* the program, within the time */
    uint32_t us;         /* then: what it took */
    uint64_t read_bytes; /* that it read from storage; 0: none, or nobody knows */
};

/* What becomes of the recording. */
struct beside_keeper {
    bool (*admit)(void *context); /* whether this start is to be recorded: asked first */
    /* The profile, which is the keeper's to free; NULL: the program never loaded the recorder. */
    void (*keep)(void *context, uint8_t *bytes, size_t size, const struct beside_seen *seen);
    void *context;
};

/*
 * For the watcher: its note, as the trace behind this descriptor has it. False if it is none. Its
 * texts end; what they say is not to be trusted.
 */
bool beside_open(int trace, struct watcher_note *note);

/*
 * Records until the program ends, listens on a socket, asks Lambda for its first invocation, or
 * `most_ns` have passed; then it lets go of it. Silent.
 */
void beside_watch(const struct watcher_note *note, uint64_t most_ns,
                  const struct beside_keeper *keeper);
