/*
 * working_set.h: what a program needs at its start, on its way into the page cache. Any number of
 * threads may read a set at the same time; nothing here starts one, or waits for one.
 */
#pragma once

#include "base/sys.h"
#include "replay/mounts.h"
#include "replay/profile.h"

#include <stdbool.h>
#include <stdint.h>

/* A gap up to this is read along: a request of its own costs about as much as 16 KiB of a disk that
 * is kept busy. */
#define MERGE_GAP_PAGES 3

struct working_set_counters {
    uint32_t ranges;
    uint32_t left_alone;  /* of the stale files: may hang */
    uint32_t stale_files; /* left out: gone, of another size, may hang, or could not be read */
    uint64_t bytes;       /* asked for */
};

/* Zero, then filled out up to the blank line, and sorted; the rest belongs to working_set.c. */
struct working_set {
    struct profile profile;
    const struct profile_executable *section;
    struct working_set_counters *counters;
    uint64_t budget_bytes, deadline_ns; /* the latter on sys_monotonic_ns() */
    /* Files that may hang are left alone; NULL: nothing is, nobody waits for us. */
    const struct mounts *mounts;
    const char *executable;
    bool only_asks; /* for pages: nobody waits for one, and no other path is looked up */

    bool is_spent;            /* less than a page is left of budget_bytes */
    uint32_t next_range;      /* the first one that nobody has claimed */
    uint32_t next_chunk;      /* the first range whose chunk no scout has touched */
    uint32_t runs, slow_runs; /* of one new chunk, that waited */
};

/* Which budgets are used up: bits of enum budget_hit. */
unsigned working_set_budget_hits(const struct working_set *set);

/*
 * Whether the set is in memory, by a few samples. The last ranges first: what a start touches late
 * is the least likely to be in memory by accident.
 */
bool working_set_is_resident(const struct working_set *set);

/*
 * Puts the section's ranges into the order of reading; `ranges` are those of set->profile, and
 * `ranks` as many zeroes as it has files. Storage serves neighbours in one request, and a program
 * that waits for a directory or an inode waits behind all the pages that were asked for before: so
 * within a window the look-ups go first, and then the pages file by file. Both begin with the file
 * that is needed first.
 */
void working_set_sort(struct working_set *set, uint32_t *ranks, struct profile_range *ranges);

/* Claims the next run and reads it. False if there is none, or a budget is used up. */
bool working_set_read_run(struct working_set *set);

/*
 * Claims the next storage chunk that no reader has come to, and touches one page of it. A store
 * which fetches whole chunks on their first touch, as Lambda's, then has it when a reader comes.
 * False as above.
 */
bool working_set_touch_chunk(struct working_set *set);

/* Whether so many reads took so long that the storage must be such a store. */
bool working_set_is_slow(const struct working_set *set);
