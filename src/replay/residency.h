/*
 * residency.h: whether a page of a file is in the page cache.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum residency { RESIDENCY_UNKNOWN, RESIDENT, NOT_RESIDENT };

/*
 * Whether the byte at `offset` of the open file can be had without storage; false where the file
 * system cannot tell (FUSE). About a microsecond when it is. May start to read the page when it is
 * not.
 */
bool file_page_is_resident(int fd, uint64_t offset);
