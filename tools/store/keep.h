/*
 * keep.h: a start of coldboost run whose profile is to be made, or made again.
 */
#pragma once

#include "replay/profile.h"
#include "start/program.h"
#include "start/store.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * store_look(), once the profiles have been made of what starts have left that nobody watched.
 * has_read: set if files of programs have been read for that.
 */
enum store_answer keep_look(struct store_entry *entry, bool *has_read);

/*
 * Has this process recorded into the store when it becomes the program; the store is made if it is
 * missing. Returns whether it is going to be, unless another start of the same is being
 * recorded, or the store cannot be written. Where nobody would reap a process beside it, the next
 * start makes the profile. Silent.
 */
bool keep_record(const struct program *program, struct store_entry *entry, char *const *command);

/* The same with nobody beside it, for the process of this number, which is this one or its parent:
 * where that is the parent, its environment is left to it. */
bool keep_alone(const struct program *program, struct store_entry *entry, char *const *command,
                pid_t process);

/* What the process beside it does, with the trace behind this descriptor. */
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
