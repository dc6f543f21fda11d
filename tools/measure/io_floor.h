/*
 * io_floor.h: what a profile's pages cost when nothing but the device is in the way.
 */
#pragma once

#include "replay/profile.h"

struct io_floor;

/* Prepares the reads of one section. The profile must outlive the result. */
struct io_floor *io_floor_new(const struct profile *profile,
                              const struct profile_executable *section);

/*
 * Reads every page of the section, and no other, with many threads; returns when all are in memory.
 * To be timed by the caller. Files that are missing are passed over.
 */
void io_floor_read(struct io_floor *floor);

void io_floor_free(struct io_floor *floor);
