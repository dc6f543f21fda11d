/*
 * neighbours.h: what a start touches late, but stands beside what it touches early.
 */
#pragma once

#include "replay/profile.h"

#include <stddef.h>
#include <stdint.h>

/* A new piece of one executable's working set. */
struct piece {
    struct profile_range range;
    uint32_t file_rank; /* in the order in which the files were first touched in this epoch */
};

/*
 * Of pieces in the order of their first touch, gives those that are small and stand beside an
 * earlier one of their file that one's epoch and rank: the replay then reads both with one request.
 * A request costs a device about as much as a few pages. The order of the pieces stays.
 */
void neighbours_bring_forward(struct piece *pieces, size_t count);
