/*
 * identity.h: whether a recorded file belongs into a profile, how it will be known again, and
 * whether it is still the same.
 */
#pragma once

#include "replay/profile.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/*
 * Fills out the identity of the file at `path` (all but its path). False if it is to be left out:
 * it is not the recorded file any more (device and inode, unless that is 0), neither a regular file
 * nor a directory, on a file system without storage, empty, or was written or renamed at or after
 * `since` (CLOCK_REALTIME).
 */
bool identify_file(const char *path, uint64_t device, uint64_t inode, const struct timespec *since,
                   struct profile_file *out);

/*
 * The same for a path that was only looked up, whether there is such a file or not. False if it is
 * on a file system without storage, or was made at or after `since`.
 */
bool identify_path(const char *path, const struct timespec *since, struct profile_file *out);

/* What has become of a recorded regular file, by what stands at its path now. */
enum file_fate identity_now(const char *path, const struct profile_file *file);

/* Of the regular files that a section needs, or all of a profile. */
struct identity_counts {
    uint32_t files, changed, stale;
};

/* section: NULL for all. */
struct identity_counts identity_count(const struct profile *profile,
                                      const struct profile_executable *section);

/* One sentence for people, with the remedy, or NULL if all is as it was. The caller's to free. */
char *identity_text(const struct identity_counts *counts);
