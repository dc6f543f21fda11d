/*
 * keep.h: a start of coldboost run whose profile is to be made, or made again.
 */
#pragma once

#include "replay/profile.h"
#include "start/program.h"
#include "start/store.h"

#include <stdbool.h>

/*
 * store_look(), once the profiles have been made of what starts have left that nobody watched.
 * has_read: set if files of programs have been read for that.
 */
enum store_answer keep_look(struct store_entry *entry, bool *has_read);

/*
 * Has this process's parent recorded into the store when it becomes the program, with nobody beside
 * it: the next start makes the profile. The store is made if it is missing. False if it is not
 * going to be, as its trace is there or cannot be made. Silent.
 */
bool keep_alone(const struct program *program, struct store_entry *entry, char *const *command);

/* What the process beside a program does, with the trace behind this descriptor. */
void keep_watch(int trace, char *const *command);

/*
 * For a start that store_look() wants recorded: whether it really is to be, because it has no
 * profile or one that was recorded only once or is old, or the files that more than a twentieth of
 * its bytes are read from have changed. Where not, the store is told that all has been looked at.
 * has_read: set if the program's files have been read to know that.
 */
bool keep_is_due(const struct store_entry *entry, bool *has_read);

/* Counts the events of a log that has no room for more. */
void keep_count(const struct store_entry *entry);

/* Whether the files that more than a twentieth of a profile's bytes are read from have changed. */
bool keep_has_changed(const struct profile *profile);

/* Names the start of a command in the user's store, for store_look(); false if there is none. */
bool keep_find(const struct program *program, char *const *command, struct store_entry *entry);
