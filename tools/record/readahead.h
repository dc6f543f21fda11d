/*
 * readahead.h: keeps out of memory what a program does not need, while it is recorded.
 *
 * A page fault also maps those neighbours that are in the page cache. With an empty cache and no
 * readahead only pages that somebody touched are there.
 */
#pragma once

#include <stdbool.h>

/*
 * Drops the page cache and turns readahead off on all devices. Returns false if that is not allowed
 * (it takes root, and no container), or if another recording is doing so now. Whatever becomes of
 * this process, even SIGKILL, readahead comes back; if its guardian is killed as well, the next
 * recording brings it back.
 */
bool readahead_off(void);

/* Puts readahead back; does nothing unless it was turned off. */
void readahead_restore(void);
