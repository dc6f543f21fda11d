/*
 * profile_read.h: a profile from a file, for the sub-commands that look into one.
 */
#pragma once

#include "replay/profile.h"

/*
 * Reads and validates a profile; exits with a message that names the file and the remedy if there
 * is anything wrong with it. Returns the bytes, which are the caller's to free; out looks into
 * them, and *size is how many there are, with what stands behind the profile itself.
 */
uint8_t *read_profile(const char *path, struct profile *out, size_t *size);

/* The same for bytes that are in memory; messages call them by `name`. */
void check_profile(const char *name, const uint8_t *bytes, size_t size, struct profile *out);

/* Bytes that a range takes of its file: its last page may be cut by the file's end. */
uint64_t profile_range_bytes(const struct profile *profile, const struct profile_range *range);
