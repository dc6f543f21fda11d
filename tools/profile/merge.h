/*
 * merge.h: one profile from those of several runs.
 *
 * Runs of one program differ: a scheduler, a time stamp, another request. What most of them needed,
 * in the order in which most of them needed it, is a better prediction than any single run.
 */
#pragma once

#include "replay/profile.h"

struct merge_source {
    struct profile profile;
    char *name;             /* for messages of merge_all(); the source's own, as is `bytes` */
    uint8_t *bytes;         /* what the profile looks into */
    uint32_t stale_files;   /* out: files that a newer profile knows in another version */
    const char *stale_path; /* out: the first of them, inside the profile */
};

struct merge_totals {
    uint32_t executables, files;
    uint64_t pages;   /* of all sections of the result */
    uint64_t dropped; /* pages that too few of the profiles name */
};

/*
 * Unites validated profiles. A section has the pages that at least min_share per cent of the
 * profiles with this section name, ordered by the median of their ranks there: how many pages and
 * look-ups stand before. Look-ups are treated like pages. Of a file whose identities disagree, the
 * one in the profile that was recorded last counts, and the others' ranges of it are left out; they
 * have no say in its shares either. Profiles that only look its path up disagree with none. The
 * order of the sources does not matter.
 *
 * Returns 0, or an error of profile_writer_finish(); *bytes is the caller's to free.
 */
int merge_profiles(struct merge_source *sources, size_t count, unsigned min_share, uint8_t **bytes,
                   size_t *size, struct merge_totals *totals);

/* A growing list, {NULL, 0} at first. */
struct merge_sources {
    struct merge_source *all;
    size_t count;
};
void merge_sources_free(struct merge_sources *sources);

/* Exits with a message if there is anything wrong with the profile in this file. */
void merge_add_file(struct merge_sources *sources, const char *path);

/*
 * As merge_profiles(); warns of stale files, exits with a message that names the output if it would
 * be too large, and frees the sources. The result is the caller's to free.
 */
uint8_t *merge_all(struct merge_sources *sources, unsigned min_share, const char *output,
                   size_t *size, struct merge_totals *totals);
