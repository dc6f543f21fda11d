/*
 * timeline.h: which file of a profile was paged in when, during one start.
 */
#pragma once

#include "replay/profile.h"

#include <stdbool.h>

struct arrival {
    double at_ms; /* since timeline_begin(); 0: it was there before */
    uint32_t file, pages;
};

struct timeline {
    struct arrival *arrivals; /* in the order of time */
    size_t arrival_count;
    double end_ms;
    uint32_t *file_pages; /* how many of each file were watched */
    bool available;       /* false: the kernel would not say (mincore(2)) */
};

struct timeline_watch;

/* Prepares to watch the pages of one section. The profile must outlive the result. */
struct timeline_watch *timeline_watch_new(const struct profile *profile,
                                          const struct profile_executable *section);

/* Watches in a thread of its own: from the moment that it returns, which is 0 ms. */
void timeline_begin(struct timeline_watch *watch);

/* Ends the watch and frees it. */
struct timeline timeline_end(struct timeline_watch *watch);

void timeline_free(struct timeline *timeline);
