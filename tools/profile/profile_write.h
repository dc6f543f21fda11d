/*
 * profile_write.h: makes the bytes of a profile (profile.h) from executables, files and ranges.
 */
#pragma once

#include "replay/profile.h"

struct profile_writer;

struct profile_writer *profile_writer_new(uint32_t epoch_us, uint64_t recorded_s);

/* Says that the first executable's ranges hold those of all others (PROFILE_OF_ONE_START). */
void profile_writer_set_one_start(struct profile_writer *writer);

/* Adds a file and returns its index; identity->path and what is reserved are ignored. */
uint32_t profile_writer_add_file(struct profile_writer *writer, const char *path,
                                 const struct profile_file *identity);

/* Begins an executable: the ranges that follow are its own, in the order in which they come. */
void profile_writer_add_executable(struct profile_writer *writer, const char *path);
void profile_writer_add_range(struct profile_writer *writer, const struct profile_range *range);

/* Puts these bytes behind the profile (profile_header.extra_bytes). */
void profile_writer_add_extra(struct profile_writer *writer, const uint8_t *bytes, size_t size);

/*
 * Ends the writer and hands out the profile, which is the caller's to free. It has been validated:
 * returns 0, -EFBIG if it would exceed PROFILE_MAX_BYTES, or an error of profile_parse(); *bytes is
 * then NULL.
 */
int profile_writer_finish(struct profile_writer *writer, uint8_t **bytes, size_t *size);
