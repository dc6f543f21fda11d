/*
 * merge.c: one profile of several. Cuts the ranges that the profiles have for an executable at each
 * other's ends, so that every profile names all of a piece or nothing of it; counts and ranks the
 * pieces; puts them in order. Nothing is done page by page: a range may claim 2^32 of them.
 */
#include "profile/merge.h"

#include "cli/command.h"
#include "cli/table.h"
#include "profile/profile_write.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX };

/* The same for all profiles. */
struct merge_file {
    const char *path;
    const struct profile_file *identity;
    uint64_t recorded_s; /* of the profile that the identity is from */
    uint32_t written;    /* its index in the result; NONE: not needed (yet) */
};

struct merge_executable {
    const char *path;
    uint64_t rank;              /* twice the median of its places in the profiles */
    struct merge_piece *pieces; /* the result */
    size_t piece_count;
};

/* Where pieces begin and end; pieces are named by the index of the cut that they begin at. */
struct cut {
    uint32_t file;
    uint64_t at;
};

/* One profile's word on a piece. */
struct sighting {
    uint32_t piece;
    uint64_t rank;    /* pages and look-ups before it */
    uint64_t time_us; /* since the recording began */
};

/* What is needed of a file, as numbers: that its path is looked up, and its pages, which are no
 * neighbours of that. */
enum { LOOK_UP = 0, FIRST_PAGE = 2 };

struct merge_piece {
    uint32_t file;
    uint64_t first, end; /* LOOK_UP, or pages from FIRST_PAGE on */
    uint64_t rank;       /* twice the median */
    uint64_t epoch;
    uint32_t group; /* place of its file among the files of this epoch */
};

struct merge {
    struct merge_source *sources;
    size_t source_count;
    unsigned min_share;
    uint32_t epoch_us;
    struct merge_file *files; /* by path */
    size_t file_count;
    uint32_t **moved; /* of each source: its files' indices here; NONE: stale */
    bool **stale;     /* of each source: files here that it knows in another version */
    struct merge_executable *executables;
    size_t executable_count;
    struct merge_totals *totals;
};

/* ---- files ---------------------------------------------------------------------------------- */

/* A path that one run only looked up says nothing about the file that another one read. */
static int compare_identities(const struct merge_file *a, const struct merge_file *b)
{
    const struct profile_file *x = a->identity, *y = b->identity;
    int order = ORDER(x->kind != PROFILE_FILE_PATH, y->kind != PROFILE_FILE_PATH);
    order = order ? order : ORDER(a->recorded_s, b->recorded_s);
    order = order ? order : ORDER(x->mtime_ns, y->mtime_ns);
    order = order ? order : ORDER(x->size, y->size);
    order = order ? order : ORDER(x->kind, y->kind);
    order = order ? order : ORDER(x->build_id_bytes, y->build_id_bytes);
    order = order ? order : ORDER(x->build_id_offset, y->build_id_offset);
    return order ? order : memcmp(x->build_id, y->build_id, sizeof x->build_id);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct merge_file *)a)->path, ((const struct merge_file *)b)->path);
}

/* By path, the one to take first. */
static int compare_files(const void *a, const void *b)
{
    int order = compare_paths(a, b);
    return order ? order : compare_identities(b, a);
}

/* Would a replay take a file with the one identity for the other? */
static bool is_same_file(const struct profile_file *a, const struct profile_file *b)
{
    if (a->kind == PROFILE_FILE_PATH || b->kind == PROFILE_FILE_PATH)
        return true;
    return profile_file_fate(a, b) != FILE_STALE;
}

static void collect_files(struct merge *merge)
{
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        for (uint32_t i = 0; i < profile->header->file_count; i++)
            *GROW(merge->files, merge->file_count) = (struct merge_file){
                profile->strings + profile->files[i].path,
                &profile->files[i],
                profile->header->recorded_s,
                NONE,
            };
    }
    SORT(merge->files, merge->file_count, compare_files);
    merge->file_count =
        table_unite(merge->files, merge->file_count, sizeof *merge->files, compare_paths);
}

static void move_files(const struct merge *merge, size_t s)
{
    struct merge_source *source = &merge->sources[s];
    const struct profile *profile = &source->profile;
    uint32_t *moved = xmalloc(profile->header->file_count * sizeof *moved);
    bool *stale = memset(xmalloc(merge->file_count), 0, merge->file_count);
    source->stale_files = 0;
    for (uint32_t i = 0; i < profile->header->file_count; i++) {
        struct merge_file wanted = {.path = profile->strings + profile->files[i].path};
        const struct merge_file *file =
            SEARCH(&wanted, merge->files, merge->file_count, compare_paths);
        moved[i] = (uint32_t)(file - merge->files);
        if (is_same_file(file->identity, &profile->files[i]))
            continue;
        stale[moved[i]] = true;
        moved[i] = NONE;
        if (!source->stale_files++)
            source->stale_path = wanted.path;
    }
    merge->moved[s] = moved;
    merge->stale[s] = stale;
}

/* ---- executables ---------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    return ORDER(*(const uint64_t *)a, *(const uint64_t *)b);
}

/* Twice the median, so that it is a whole number. */
static uint64_t median_twice(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[(count - 1) / 2] + numbers[count / 2];
}

static int compare_executables(const void *a, const void *b)
{
    const struct merge_executable *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : ORDER(x->rank, y->rank);
}

static int compare_executable_ranks(const void *a, const void *b)
{
    const struct merge_executable *x = a, *y = b;
    return x->rank != y->rank ? ORDER(x->rank, y->rank) : strcmp(x->path, y->path);
}

/* Whether all profiles are of one start of the same executable, and none of its pieces is dropped:
 * the share of a child's is that of the runs which had the child. */
static bool is_of_one_start(const struct merge *merge)
{
    const char *first = NULL;
    if (merge->min_share * merge->source_count > 100)
        return false;
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        if (!profile->header->executable_count || !(profile->header->flags & PROFILE_OF_ONE_START))
            return false;
        const char *path = profile->strings + profile->executables[0].path;
        if (first && strcmp(path, first) != 0)
            return false;
        first = path;
    }
    return true;
}

static void collect_executables(struct merge *merge)
{
    struct merge_executable *all = NULL;
    size_t count = 0, kept = 0;
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        for (uint32_t i = 0; i < profile->header->executable_count; i++)
            *GROW(all, count) = (struct merge_executable){
                .path = profile->strings + profile->executables[i].path, .rank = i};
    }
    SORT(all, count, compare_executables);
    uint64_t *ranks = xmalloc(count * sizeof *ranks);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && strcmp(all[end].path, all[i].path) == 0; end++)
            ranks[end - i] = all[end].rank;
        all[kept] = all[i];
        all[kept++].rank = median_twice(ranks, end - i);
    }
    free(ranks);
    SORT(all, kept, compare_executable_ranks);
    merge->executables = all;
    merge->executable_count = kept;
}

/* ---- pieces of one executable --------------------------------------------------------------- */

struct merge_section {
    const struct profile_executable **in; /* of each source; NULL: it has none */
    struct cut *cuts;
    size_t cut_count;
    struct sighting *sightings;
    size_t sighting_count;
};

static int compare_cuts(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    return x->file != y->file ? ORDER(x->file, y->file) : ORDER(x->at, y->at);
}

/* The cuts on either side of a source's range; false if its file is stale. */
static bool find_cuts(const struct merge *merge, size_t s, const struct profile_range *range,
                      struct cut *begin, struct cut *end)
{
    uint32_t file = merge->moved[s][range->file];
    if (file == NONE)
        return false;
    uint64_t first = range->page_count ? FIRST_PAGE + (uint64_t)range->first_page : LOOK_UP;
    *begin = (struct cut){file, first};
    *end = (struct cut){file, first + (range->page_count ? range->page_count : 1)};
    return true;
}

static uint64_t page_count(const struct merge_piece *piece)
{
    return piece->first == LOOK_UP ? 0 : piece->end - piece->first;
}

static void cut_ranges(const struct merge *merge, struct merge_section *section)
{
    struct cut begin, end;
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile_executable *in = section->in[s];
        for (uint32_t i = 0; in && i < in->range_count; i++) {
            if (!find_cuts(merge, s, &merge->sources[s].profile.ranges[in->first_range + i], &begin,
                           &end))
                continue;
            *GROW(section->cuts, section->cut_count) = begin;
            *GROW(section->cuts, section->cut_count) = end;
        }
    }
    SORT(section->cuts, section->cut_count, compare_cuts);
    section->cut_count =
        table_unite(section->cuts, section->cut_count, sizeof *section->cuts, compare_cuts);
}

/* The first piece at or behind this one that has not been seen: paths are halved on the way. */
static size_t unseen(size_t *next, size_t piece)
{
    for (; next[piece] != piece; piece = next[piece])
        next[piece] = next[next[piece]];
    return piece;
}

/* Ranges of one profile may overlap: the first to name a piece counts. */
static void see_source(const struct merge *merge, struct merge_section *section, size_t s)
{
    const struct profile *profile = &merge->sources[s].profile;
    const struct profile_executable *in = section->in[s];
    size_t *next = xmalloc((section->cut_count + 1) * sizeof *next);
    for (size_t i = 0; i <= section->cut_count; i++)
        next[i] = i;
    uint64_t rank = 0;
    for (uint32_t r = 0; in && r < in->range_count; r++) {
        const struct profile_range *range = &profile->ranges[in->first_range + r];
        struct cut begin, end;
        if (!find_cuts(merge, s, range, &begin, &end))
            continue;
        const struct cut *at = SEARCH(&begin, section->cuts, section->cut_count, compare_cuts);
        size_t i = unseen(next, (size_t)(at - section->cuts));
        while (i < section->cut_count && compare_cuts(&section->cuts[i], &end) < 0) {
            *GROW(section->sightings, section->sighting_count) = (struct sighting){
                (uint32_t)i, rank, (uint64_t)range->epoch * profile->header->epoch_us};
            rank += section->cuts[i + 1].at - section->cuts[i].at;
            next[i] = i + 1;
            i = unseen(next, i);
        }
    }
    free(next);
}

static int compare_sightings(const void *a, const void *b)
{
    return ORDER(((const struct sighting *)a)->piece, ((const struct sighting *)b)->piece);
}

/* Whether enough profiles name the piece. One in which its file is stale knows nothing about it. */
static bool is_shared(const struct merge *merge, const struct merge_section *section, uint32_t file,
                      size_t sightings)
{
    size_t voters = 0;
    for (size_t s = 0; s < merge->source_count; s++)
        voters += section->in[s] && !merge->stale[s][file];
    return sightings * 100 >= voters * merge->min_share;
}

static void judge_pieces(const struct merge *merge, struct merge_section *section,
                         struct merge_executable *out)
{
    uint64_t *numbers = xmalloc(merge->source_count * sizeof *numbers);
    SORT(section->sightings, section->sighting_count, compare_sightings);
    for (size_t i = 0, count; i < section->sighting_count; i += count) {
        const struct sighting *seen = &section->sightings[i];
        const struct cut *cut = &section->cuts[seen->piece];
        struct merge_piece piece = {.file = cut->file, .first = cut->at, .end = cut[1].at};
        for (count = 0; i + count < section->sighting_count && seen[count].piece == seen->piece;
             count++)
            numbers[count] = seen[count].rank;
        if (!is_shared(merge, section, cut->file, count)) {
            merge->totals->dropped += page_count(&piece);
            continue;
        }
        piece.rank = median_twice(numbers, count);
        for (size_t k = 0; k < count; k++)
            numbers[k] = seen[k].time_us;
        piece.epoch = merge->epoch_us ? median_twice(numbers, count) / 2 / merge->epoch_us : 0;
        if (piece.first <= FIRST_PAGE + (uint64_t)UINT32_MAX) /* only if ranges were made up */
            *GROW(out->pieces, out->piece_count) = piece;
    }
    free(numbers);
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_ranks(const void *a, const void *b)
{
    const struct merge_piece *x = a, *y = b;
    int order = ORDER(x->rank, y->rank);
    order = order ? order : ORDER(x->file, y->file);
    return order ? order : ORDER(x->first, y->first);
}

static int compare_places(const void *a, const void *b)
{
    const struct merge_piece *x = a, *y = b;
    int order = ORDER(x->epoch, y->epoch);
    order = order ? order : ORDER(x->group, y->group);
    return order ? order : ORDER(x->first, y->first);
}

/*
 * By rank; the epochs are then dealt out anew in that order, so that one slow run does not tear
 * apart what belongs together. Within an epoch by file, as src/replay/profile.h has it: one open()
 * a file.
 */
static void order_pieces(const struct merge *merge, struct merge_piece *pieces, size_t count)
{
    uint64_t *epochs = xmalloc(count * sizeof *epochs);
    struct merge_piece **first = xmalloc(merge->file_count * sizeof *first); /* of its epoch */
    memset(first, 0, merge->file_count * sizeof *first);
    SORT(pieces, count, compare_ranks);
    for (size_t i = 0; i < count; i++)
        epochs[i] = pieces[i].epoch;
    SORT(epochs, count, compare_numbers);
    for (size_t i = 0; i < count; i++) {
        struct merge_piece **leader = &first[pieces[i].file];
        pieces[i].epoch = epochs[i] < NONE ? epochs[i] : NONE - 1;
        if (!*leader || (*leader)->epoch != pieces[i].epoch)
            *leader = &pieces[i];
        pieces[i].group = (uint32_t)(*leader - pieces);
    }
    SORT(pieces, count, compare_places);
    free(first);
    free(epochs);
}

/* ---- the result ----------------------------------------------------------------------------- */

static void find_pieces(const struct merge *merge, struct merge_executable *executable)
{
    struct merge_section section = {.in = xmalloc(merge->source_count * sizeof *section.in)};
    for (size_t s = 0; s < merge->source_count; s++)
        section.in[s] = profile_find(&merge->sources[s].profile, executable->path);
    cut_ranges(merge, &section);
    for (size_t s = 0; s < merge->source_count; s++)
        see_source(merge, &section, s);
    judge_pieces(merge, &section, executable);
    order_pieces(merge, executable->pieces, executable->piece_count);
    free(section.in);
    free(section.cuts);
    free(section.sightings);
}

static void write_files(const struct merge *merge, struct profile_writer *writer)
{
    for (size_t e = 0; e < merge->executable_count; e++)
        for (size_t i = 0; i < merge->executables[e].piece_count; i++)
            merge->files[merge->executables[e].pieces[i].file].written = 0;
    for (size_t i = 0; merge->files && i < merge->file_count; i++) {
        struct merge_file *file = &merge->files[i];
        if (file->written == NONE)
            continue;
        file->written = profile_writer_add_file(writer, file->path, file->identity);
        merge->totals->files++;
    }
}

/* Pieces that go on where the one before ends are one range. */
static void write_executable(const struct merge *merge, struct profile_writer *writer,
                             const struct merge_executable *executable)
{
    const struct merge_piece *piece = executable->pieces, *end = piece + executable->piece_count;
    profile_writer_add_executable(writer, executable->path);
    merge->totals->executables++;
    while (piece < end) {
        struct merge_piece run = *piece;
        while (++piece < end && piece->file == run.file && piece->epoch == run.epoch &&
               piece->first == run.end && piece->end - run.first <= UINT32_MAX)
            run.end = piece->end;
        struct profile_range range = {
            .file = merge->files[run.file].written,
            .first_page = run.first == LOOK_UP ? 0 : (uint32_t)(run.first - FIRST_PAGE),
            .page_count = (uint32_t)page_count(&run),
            .epoch = (uint32_t)run.epoch,
        };
        merge->totals->pages += range.page_count;
        profile_writer_add_range(writer, &range);
    }
}

int merge_profiles(struct merge_source *sources, size_t count, unsigned min_share, uint8_t **bytes,
                   size_t *size, struct merge_totals *totals)
{
    struct merge merge = {
        .sources = sources, .source_count = count, .min_share = min_share, .totals = totals};
    uint64_t recorded_s = 0;
    *totals = (struct merge_totals){0};
    for (size_t s = 0; s < count; s++) {
        const struct profile_header *header = sources[s].profile.header;
        recorded_s = header->recorded_s > recorded_s ? header->recorded_s : recorded_s;
        merge.epoch_us = header->epoch_us > merge.epoch_us ? header->epoch_us : merge.epoch_us;
    }
    collect_files(&merge);
    collect_executables(&merge);
    merge.moved = xmalloc(count * sizeof *merge.moved);
    merge.stale = xmalloc(count * sizeof *merge.stale);
    for (size_t s = 0; s < count; s++)
        move_files(&merge, s);
    for (size_t e = 0; e < merge.executable_count; e++)
        find_pieces(&merge, &merge.executables[e]);
    struct profile_writer *writer = profile_writer_new(merge.epoch_us, recorded_s);
    if (is_of_one_start(&merge))
        profile_writer_set_one_start(writer);
    write_files(&merge, writer);
    for (size_t e = 0; e < merge.executable_count; e++) {
        if (merge.executables[e].piece_count)
            write_executable(&merge, writer, &merge.executables[e]);
        free(merge.executables[e].pieces);
    }
    for (size_t s = 0; s < count; s++) {
        free(merge.moved[s]);
        free(merge.stale[s]);
    }
    free(merge.moved);
    free(merge.stale);
    free(merge.executables);
    free(merge.files);
    return profile_writer_finish(writer, bytes, size);
}

void merge_sources_free(struct merge_sources *sources)
{
    for (size_t s = 0; s < sources->count; s++) {
        free(sources->all[s].name);
        free(sources->all[s].bytes);
    }
    free(sources->all);
}
