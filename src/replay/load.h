/*
 * load.h: a profile's bytes, read from its file once: the first page, which tells whether it is
 * about a program at all, and the rest if it is.
 */
#pragma once

#include "replay/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_PAGE_BYTES 4096

/* Zero-initialise; then it is load.c's. Too large for a stack, which may be tiny. */
struct loaded_profile {
    const uint8_t *bytes; /* `page`, or a mapping; NULL: nothing has been loaded */
    size_t size;          /* of those: the profile's own, unless the file ends before */
    size_t mapped_bytes;
    int fd; /* while the rest has not been read */
    union {
        struct profile_header header;
        uint8_t page[LOAD_PAGE_BYTES];
    };
};

/*
 * Opens the profile and reads its first page. Returns 0 if its header is good and its size agrees
 * with the file's; -errno otherwise, as of the file or of profile_check_header(). Leaves the file
 * open if there is more to read.
 */
int profile_load_page(const char *path, struct loaded_profile *out);

/*
 * Reads the rest and closes the file; in memory that the limit of a program's data (RLIMIT_DATA)
 * does not count, if that is to be kept for long. Returns 0 or -ENOMEM. Where the file is shorter
 * now, so is `size`: profile_parse() refuses it.
 */
int profile_load_rest(struct loaded_profile *profile, bool for_long);

/* Closes the file and unmaps what is mapped. To be called once or more often. */
void profile_unload(struct loaded_profile *profile);
