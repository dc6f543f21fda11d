/*
 * alone.h: records a start that nobody may stand beside, because nobody would reap the watcher: the
 * recorder writes its trace into a file, and a later start makes the profile of it.
 */
#pragma once

#include "start/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { ALONE_BYTES = 4 << 20 }; /* of such a file: room for 120,000 ranges */

/*
 * Makes the file for a trace of this process, which is going to be the program. The recording is
 * over when the process ends, listens on a socket, asks Lambda for its first invocation, or
 * `most_ns` have passed. The note, of at most NEW_TRACE_NOTE_MOST bytes, is for whoever takes the
 * trace. False if there is such a file, or it cannot have all of its room now. Silent.
 */
bool record_alone(const char *path, pid_t process, uint64_t most_ns, const void *note,
                  size_t note_bytes);

/*
 * The note in such a file's bytes, which are aligned; NULL if they are none with a note of this
 * size. Neither it nor the trace is to be trusted.
 */
const void *record_note(const uint8_t *bytes, size_t size, size_t note_bytes);

/* For what record_note() has accepted: whether it says that nothing more is going to be added. */
bool record_is_over(const uint8_t *bytes);

/*
 * The same: makes the profile, of a recording that began at `since`; *profile is the caller's to
 * free, and NULL if the program never loaded the recorder. False if there is nothing to be made of
 * it, as none of the files is what it was then.
 */
bool record_take(uint8_t *bytes, const struct timespec *since, uint8_t **profile, size_t *size);
