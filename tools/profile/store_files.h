/*
 * store_files.h: a store's files, for the tools that write them.
 *
 * Every file is replaced as a whole. Who writes for a start holds its lock, a byte of the file
 * "lock", which ends with the process.
 */
#pragma once

#include "replay/profile.h"
#include "start/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open store, or -errno. Makes the folder, and those above it, if `make`. */
int store_files_open(const char *folder, bool make);

/* Exits with a message for a folder that could not be opened. */
_Noreturn void store_files_refuse(const char *folder);

/* Takes the lock of a start until the process ends; false if somebody has it. */
bool store_files_lock(int folder, uint64_t start_hash);

/*
 * Replaces the state of a start, or with NULL keeps it; checked_ns, unless 0, becomes its. Counts
 * the events behind it, so that there is room for new ones: none is lost that a start is adding.
 */
bool store_files_put(int folder, const char *name, const struct store_state *state,
                     uint64_t checked_ns);

/* Replaces NAME.SUFFIX; false if that is impossible: nothing is left behind then. */
bool store_files_write(int folder, const char *name, const char *suffix, const void *bytes,
                       size_t size);

/* The bytes of NAME.SUFFIX, aligned and the caller's to free; NULL if there is none. */
uint8_t *store_files_read(int folder, const char *name, const char *suffix, size_t most,
                          size_t *size);

/* Removes the profile and the log of a start, and what has been recorded of it since. */
void store_files_remove(int folder, const char *name);

/* What is known of each start, for every NAME.log that is one; its events are counted. Grows. */
struct store_item {
    char *name;
    struct store_state state;
    uint64_t profile_bytes; /* 0: there is no profile */
    uint64_t used_ns;       /* CLOCK_REALTIME */
    bool waits;             /* a trace of it is there, by store_traces_list() */
};
struct store_item *store_files_list(int folder, size_t *count);
void store_items_free(struct store_item *items, size_t count);

/* The names of the files with this suffix, without it, in any order; they and the list are the
 * caller's to free. */
char **store_files_names(int folder, const char *suffix, size_t *count);

/*
 * Every start of a store that has a profile, which has been checked. Exits with a message if there
 * is no such store, no profile in it or a damaged one. All is the caller's to free.
 */
struct stored_profile {
    char *name, *path; /* of the start; of the profile */
    struct store_state state;
    uint8_t *bytes;
    size_t size;
    struct profile profile;
};
struct stored_profile *store_files_load(const char *folder, size_t *count);
