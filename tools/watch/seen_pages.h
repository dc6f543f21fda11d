/*
 * seen_pages.h: a set of pages of files, to tell which of those that a process has touched are new.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct seen_file;

/* Empty: all zero. */
struct seen_pages {
    struct seen_file *files;
    size_t count, hint;
};

/* Adds pages of a file, and calls add() for each run of those that are new. */
void seen_pages_add(struct seen_pages *seen, uint32_t file, uint64_t first_page,
                    uint64_t page_count,
                    void (*add)(void *context, uint32_t file, uint64_t first, uint64_t count),
                    void *context);

/* Empties it. */
void seen_pages_free(struct seen_pages *seen);
