/*
 * merge.c: coldboost merge. Cuts the ranges that the profiles have for an executable at each
 * other's ends, so that every profile names all of a piece or nothing of it; counts and ranks the
 * pieces; puts them in order. Nothing is done page by page: a range may claim 2^32 of them.
 */
#include "profile/merge.h"

#include "cli/command.h"
#include "cli/output.h"
#include "profile/frames.h"
#include "profile/profile_read.h"
#include "profile/profile_write.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LOG_BYTES (1u << 30)

enum { NONE = UINT32_MAX };

/* The same for all profiles. */
struct merge_file {
    const char *path;
    const struct profile_file *identity;
    uint64_t recorded_s; /* of the profile that the identity is from */
};

struct merge_executable {
    const char *path;
    uint64_t rank; /* twice the median of its places in the profiles */
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
    struct merge_executable *executables;
    size_t executable_count;
    uint32_t *written; /* of each file: its index in the result; NONE: not needed (yet) */
    struct merge_totals *totals;
};

/* Orders two numbers as qsort wants it. */
#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

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

/* By path, the one to take first. */
static int compare_files(const void *a, const void *b)
{
    int order = strcmp(((const struct merge_file *)a)->path, ((const struct merge_file *)b)->path);
    return order ? order : compare_identities(b, a);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct merge_file *)a)->path, ((const struct merge_file *)b)->path);
}

/* Would a replay take a file with the one identity for the other? */
static bool is_same_file(const struct profile_file *a, const struct profile_file *b)
{
    if (a->kind == PROFILE_FILE_PATH || b->kind == PROFILE_FILE_PATH)
        return true;
    if (a->kind != b->kind)
        return false;
    return profile_file_fits(a, b->size);
}

static void collect_files(struct merge *merge)
{
    size_t count = 0;
    for (size_t s = 0; s < merge->source_count; s++)
        count += merge->sources[s].profile.header->file_count;
    merge->files = xmalloc(count * sizeof *merge->files);
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        for (uint32_t i = 0; i < profile->header->file_count; i++)
            merge->files[merge->file_count++] = (struct merge_file){
                .path = profile->strings + profile->files[i].path,
                .identity = &profile->files[i],
                .recorded_s = profile->header->recorded_s,
            };
    }
    qsort(merge->files, merge->file_count, sizeof *merge->files, compare_files);
    size_t kept = 0;
    for (size_t i = 0; i < merge->file_count; i++)
        if (!kept || strcmp(merge->files[i].path, merge->files[kept - 1].path) != 0)
            merge->files[kept++] = merge->files[i];
    merge->file_count = kept;
    merge->written = xmalloc(kept * sizeof *merge->written);
    memset(merge->written, 0xff, kept * sizeof *merge->written);
}

static size_t find_file(const struct merge *merge, const char *path)
{
    struct merge_file wanted = {.path = path};
    const struct merge_file *found =
        bsearch(&wanted, merge->files, merge->file_count, sizeof *merge->files, compare_paths);
    return (size_t)(found - merge->files);
}

static uint32_t *move_files(const struct merge *merge, struct merge_source *source)
{
    const struct profile *profile = &source->profile;
    uint32_t *moved = xmalloc(profile->header->file_count * sizeof *moved);
    source->stale_files = 0;
    for (uint32_t i = 0; i < profile->header->file_count; i++) {
        const char *path = profile->strings + profile->files[i].path;
        size_t file = find_file(merge, path);
        moved[i] = (uint32_t)file;
        if (!is_same_file(merge->files[file].identity, &profile->files[i])) {
            moved[i] = NONE;
            if (!source->stale_files++)
                source->stale_path = path;
        }
    }
    return moved;
}

/* ---- medians -------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return ORDER(*x, *y);
}

/* Twice the median, so that it is a whole number. */
static uint64_t median_twice(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[(count - 1) / 2] + numbers[count / 2];
}

/* ---- executables ---------------------------------------------------------------------------- */

static int compare_executables(const void *a, const void *b)
{
    const struct merge_executable *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : ORDER(x->rank, y->rank);
}

static int compare_executable_ranks(const void *a, const void *b)
{
    const struct merge_executable *x = a, *y = b;
    int order = ORDER(x->rank, y->rank);
    return order ? order : strcmp(x->path, y->path);
}

static void collect_executables(struct merge *merge)
{
    size_t count = 0, kept = 0;
    for (size_t s = 0; s < merge->source_count; s++)
        count += merge->sources[s].profile.header->executable_count;
    struct merge_executable *all = xmalloc(count * sizeof *all);
    uint64_t *ranks = xmalloc(count * sizeof *ranks);
    count = 0;
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        for (uint32_t i = 0; i < profile->header->executable_count; i++)
            all[count++] = (struct merge_executable){
                profile->strings + profile->executables[i].path,
                i,
            };
    }
    qsort(all, count, sizeof *all, compare_executables);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && strcmp(all[end].path, all[i].path) == 0; end++)
            ranks[end - i] = all[end].rank;
        all[kept++] = (struct merge_executable){all[i].path, median_twice(ranks, end - i)};
    }
    qsort(all, kept, sizeof *all, compare_executable_ranks);
    merge->executables = all;
    merge->executable_count = kept;
    free(ranks);
}

/* ---- pieces of one executable --------------------------------------------------------------- */

struct merge_section {
    const struct profile_executable **in; /* of each source; NULL: it has none */
    uint32_t *voters;                     /* of each file: profiles that its shares refer to */
    struct cut *cuts;
    size_t cut_count;
    struct sighting *sightings;
    size_t sighting_count, sighting_room;
    struct merge_piece *pieces; /* the result */
    size_t piece_count;
};

static int compare_cuts(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    int order = ORDER(x->file, y->file);
    return order ? order : ORDER(x->at, y->at);
}

static struct merge_piece range_piece(uint32_t file, const struct profile_range *range)
{
    if (!range->page_count)
        return (struct merge_piece){.file = file, .first = LOOK_UP, .end = LOOK_UP + 1};
    uint64_t first = FIRST_PAGE + (uint64_t)range->first_page;
    return (struct merge_piece){.file = file, .first = first, .end = first + range->page_count};
}

static uint64_t page_count(const struct merge_piece *piece)
{
    return piece->first == LOOK_UP ? 0 : piece->end - piece->first;
}

static void cut_ranges(const struct merge *merge, struct merge_section *section)
{
    size_t room = 0;
    for (size_t s = 0; s < merge->source_count; s++)
        room += section->in[s] ? 2 * (size_t)section->in[s]->range_count : 0;
    section->cuts = xmalloc(room * sizeof *section->cuts);
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile_executable *in = section->in[s];
        const struct profile_range *ranges = merge->sources[s].profile.ranges;
        for (uint32_t i = 0; in && i < in->range_count; i++) {
            uint32_t file = merge->moved[s][ranges[in->first_range + i].file];
            if (file == NONE)
                continue;
            struct merge_piece piece = range_piece(file, &ranges[in->first_range + i]);
            section->cuts[section->cut_count++] = (struct cut){file, piece.first};
            section->cuts[section->cut_count++] = (struct cut){file, piece.end};
        }
    }
    qsort(section->cuts, section->cut_count, sizeof *section->cuts, compare_cuts);
    size_t kept = 0;
    for (size_t i = 0; i < section->cut_count; i++)
        if (!kept || compare_cuts(&section->cuts[i], &section->cuts[kept - 1]) != 0)
            section->cuts[kept++] = section->cuts[i];
    section->cut_count = kept;
}

/* The first piece at or behind this one that has not been seen: paths are halved on the way. */
static size_t unseen(size_t *next, size_t piece)
{
    for (; next[piece] != piece; piece = next[piece])
        next[piece] = next[next[piece]];
    return piece;
}

static void see(struct merge_section *section, const struct sighting *sighting)
{
    if (section->sighting_count == section->sighting_room) {
        section->sighting_room = section->sighting_room ? 2 * section->sighting_room : 1024;
        section->sightings =
            xrealloc(section->sightings, section->sighting_room * sizeof *section->sightings);
    }
    section->sightings[section->sighting_count++] = *sighting;
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
    for (uint32_t r = 0; r < in->range_count; r++) {
        const struct profile_range *range = &profile->ranges[in->first_range + r];
        uint32_t file = merge->moved[s][range->file];
        if (file == NONE)
            continue;
        struct merge_piece piece = range_piece(file, range);
        struct cut begin = {file, piece.first}, end = {file, piece.end};
        const struct cut *at =
            bsearch(&begin, section->cuts, section->cut_count, sizeof *section->cuts, compare_cuts);
        size_t i = unseen(next, (size_t)(at - section->cuts));
        while (i < section->cut_count && compare_cuts(&section->cuts[i], &end) < 0) {
            struct sighting sighting = {(uint32_t)i, rank,
                                        (uint64_t)range->epoch * profile->header->epoch_us};
            see(section, &sighting);
            rank += section->cuts[i + 1].at - section->cuts[i].at;
            next[i] = i + 1;
            i = unseen(next, i);
        }
    }
    free(next);
}

static int compare_sightings(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;
    return ORDER(x->piece, y->piece);
}

static void judge_pieces(const struct merge *merge, struct merge_section *section)
{
    uint64_t *numbers = xmalloc(merge->source_count * sizeof *numbers);
    section->pieces = xmalloc(section->cut_count * sizeof *section->pieces);
    if (section->sighting_count)
        qsort(section->sightings, section->sighting_count, sizeof *section->sightings,
              compare_sightings);
    for (size_t i = 0, end; i < section->sighting_count; i = end) {
        const struct sighting *seen = &section->sightings[i];
        const struct cut *cut = &section->cuts[seen->piece];
        size_t count = 0;
        for (end = i; end < section->sighting_count && seen[count].piece == seen->piece; end++)
            numbers[count++] = section->sightings[end].rank;
        struct merge_piece piece = {.file = cut->file, .first = cut->at, .end = cut[1].at};
        if (count * 100 < (uint64_t)section->voters[cut->file] * merge->min_share) {
            merge->totals->dropped += page_count(&piece);
            continue;
        }
        piece.rank = median_twice(numbers, count);
        for (size_t k = 0; k < count; k++)
            numbers[k] = seen[k].time_us;
        piece.epoch = merge->epoch_us ? median_twice(numbers, count) / 2 / merge->epoch_us : 0;
        if (piece.first <= FIRST_PAGE + (uint64_t)UINT32_MAX) /* only if ranges were made up */
            section->pieces[section->piece_count++] = piece;
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
static void order_pieces(const struct merge *merge, struct merge_section *section)
{
    size_t count = section->piece_count;
    struct merge_piece *pieces = section->pieces;
    qsort(pieces, count, sizeof *pieces, compare_ranks);
    uint64_t *epochs = xmalloc(count * sizeof *epochs);
    for (size_t i = 0; i < count; i++)
        epochs[i] = pieces[i].epoch;
    qsort(epochs, count, sizeof *epochs, compare_numbers);

    uint32_t *group = xmalloc(merge->file_count * sizeof *group);
    uint64_t *epoch_of_group = xmalloc(merge->file_count * sizeof *epoch_of_group);
    memset(epoch_of_group, 0xff, merge->file_count * sizeof *epoch_of_group);
    for (size_t i = 0; i < count; i++) {
        uint32_t file = pieces[i].file;
        pieces[i].epoch = epochs[i] < NONE ? epochs[i] : NONE - 1;
        if (epoch_of_group[file] != pieces[i].epoch) {
            epoch_of_group[file] = pieces[i].epoch;
            group[file] = (uint32_t)i;
        }
        pieces[i].group = group[file];
    }
    qsort(pieces, count, sizeof *pieces, compare_places);
    free(epoch_of_group);
    free(group);
    free(epochs);
}

/* ---- the result ----------------------------------------------------------------------------- */

static void add_range(const struct merge *merge, struct profile_writer *writer,
                      const struct merge_piece *piece)
{
    struct profile_range range = {
        .file = merge->written[piece->file],
        .first_page = piece->first == LOOK_UP ? 0 : (uint32_t)(piece->first - FIRST_PAGE),
        .page_count = (uint32_t)page_count(piece),
        .epoch = (uint32_t)piece->epoch,
    };
    merge->totals->pages += range.page_count;
    profile_writer_add_range(writer, &range);
}

static void add_section(const struct merge *merge, struct profile_writer *writer,
                        const struct merge_section *section)
{
    struct merge_piece run = {0};
    for (size_t i = 0; i < section->piece_count; i++) {
        const struct merge_piece *piece = &section->pieces[i];
        if (i && piece->file == run.file && piece->epoch == run.epoch && piece->first == run.end &&
            piece->end - run.first <= UINT32_MAX) {
            run.end = piece->end;
            continue;
        }
        if (i)
            add_range(merge, writer, &run);
        run = *piece;
    }
    if (section->piece_count)
        add_range(merge, writer, &run);
}

/* A profile in which a file is stale knows nothing about its new version. */
static void count_voters(const struct merge *merge, struct merge_section *section)
{
    size_t files = merge->file_count;
    section->voters = xmalloc(files * sizeof *section->voters);
    size_t *left_out_by = xmalloc(files * sizeof *left_out_by); /* the last source, plus 1 */
    uint32_t profiles = 0;
    for (size_t s = 0; s < merge->source_count; s++)
        profiles += section->in[s] != NULL;
    for (size_t i = 0; i < files; i++) {
        section->voters[i] = profiles;
        left_out_by[i] = 0;
    }
    for (size_t s = 0; s < merge->source_count; s++) {
        const struct profile *profile = &merge->sources[s].profile;
        for (uint32_t i = 0; section->in[s] && i < profile->header->file_count; i++) {
            size_t file = find_file(merge, profile->strings + profile->files[i].path);
            if (merge->moved[s][i] == NONE && left_out_by[file] != s + 1) {
                left_out_by[file] = s + 1; /* once, even if it names the file twice */
                section->voters[file]--;
            }
        }
    }
    free(left_out_by);
}

static void make_section(const struct merge *merge, const char *executable,
                         struct merge_section *section)
{
    *section = (struct merge_section){.in = xmalloc(merge->source_count * sizeof(void *))};
    for (size_t s = 0; s < merge->source_count; s++)
        section->in[s] = profile_find(&merge->sources[s].profile, executable);
    count_voters(merge, section);
    cut_ranges(merge, section);
    for (size_t s = 0; s < merge->source_count; s++)
        if (section->in[s])
            see_source(merge, section, s);
    judge_pieces(merge, section);
    order_pieces(merge, section);
}

static void free_section(struct merge_section *section)
{
    free(section->in);
    free(section->voters);
    free(section->cuts);
    free(section->sightings);
    free(section->pieces);
}

static void write_files(struct merge *merge, struct profile_writer *writer,
                        const struct merge_section *sections)
{
    for (size_t e = 0; e < merge->executable_count; e++)
        for (size_t i = 0; i < sections[e].piece_count; i++)
            merge->written[sections[e].pieces[i].file] = 0;
    for (size_t i = 0; i < merge->file_count; i++) {
        if (merge->written[i] == NONE)
            continue;
        const struct merge_file *file = &merge->files[i];
        merge->written[i] = profile_writer_add_file(writer, file->path, file->identity);
        merge->totals->files++;
    }
}

int merge_profiles(struct merge_source *sources, size_t count, unsigned min_share, uint8_t **bytes,
                   size_t *size, struct merge_totals *totals)
{
    *totals = (struct merge_totals){0};
    struct merge merge = {
        .sources = sources, .source_count = count, .min_share = min_share, .totals = totals};
    uint64_t recorded_s = 0;
    for (size_t s = 0; s < count; s++) {
        const struct profile_header *header = sources[s].profile.header;
        recorded_s = header->recorded_s > recorded_s ? header->recorded_s : recorded_s;
        merge.epoch_us = header->epoch_us > merge.epoch_us ? header->epoch_us : merge.epoch_us;
    }
    collect_files(&merge);
    collect_executables(&merge);
    merge.moved = xmalloc(count * sizeof *merge.moved);
    for (size_t s = 0; s < count; s++)
        merge.moved[s] = move_files(&merge, &sources[s]);

    struct merge_section *sections = xmalloc(merge.executable_count * sizeof *sections);
    for (size_t e = 0; e < merge.executable_count; e++)
        make_section(&merge, merge.executables[e].path, &sections[e]);
    struct profile_writer *writer = profile_writer_new(merge.epoch_us, recorded_s);
    write_files(&merge, writer, sections);
    for (size_t e = 0; e < merge.executable_count; e++) {
        if (sections[e].piece_count) {
            profile_writer_add_executable(writer, merge.executables[e].path);
            add_section(&merge, writer, &sections[e]);
            totals->executables++;
        }
        free_section(&sections[e]);
    }
    for (size_t s = 0; s < count; s++)
        free(merge.moved[s]);
    free(merge.moved);
    free(merge.executables);
    free(merge.files);
    free(merge.written);
    free(sections);
    return profile_writer_finish(writer, bytes, size);
}

static struct merge_source *add_source(struct merge_sources *sources)
{
    sources->all = xrealloc(sources->all, (sources->count + 1) * sizeof *sources->all);
    return &sources->all[sources->count++];
}

void merge_add_file(struct merge_sources *sources, const char *path)
{
    struct merge_source *source = add_source(sources);
    size_t size;
    source->name = xstrdup(path);
    source->bytes = read_profile(path, &source->profile, &size);
}

uint8_t *merge_all(struct merge_sources *sources, unsigned min_share, const char *output,
                   size_t *size, struct merge_totals *totals)
{
    uint8_t *bytes;
    int error = merge_profiles(sources->all, sources->count, min_share, &bytes, size, totals);
    if (error)
        fail(EXIT_FAILED, "%s: %s", output,
             error == -EFBIG
                 ? "the result is too large; merge fewer profiles, or with a higher --min-share"
                 : strerror(-error));
    for (size_t s = 0; s < sources->count; s++) {
        struct merge_source *source = &sources->all[s];
        if (source->stale_files)
            warn("%s: %u of its files %s another version in a newer profile (%s%s); their pages "
                 "are left out",
                 source->name, source->stale_files, source->stale_files == 1 ? "has" : "have",
                 source->stale_path, source->stale_files == 1 ? "" : ", ...");
        free(source->name);
        free(source->bytes);
    }
    free(sources->all);
    return bytes;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const char help[] =
    "Usage: coldboost merge -o OUT [--min-share=PERCENT] [--from-log LOG]... [PROFILE]...\n"
    "\n"
    "Unites the profiles of several runs into one. Each executable's pages and look-ups are\n"
    "ordered by the median of their ranks in the profiles that name them: a run that was\n"
    "disturbed does not count for more than the others.\n"
    "\n"
    "  -o, --output OUT         where to write it; may be one of the PROFILEs,\n"
    "                           or - for standard output\n"
    "      --min-share PERCENT  drop what fewer than this share of the profiles with\n"
    "                           this executable name; default: 0, keep all\n"
    "      --from-log LOG       also take the profiles that 'coldboost record --log' has\n"
    "                           written into this log; - is the standard input\n"
    "  -h, --help               show this text\n"
    "\n"
    "A file that has changed between the recordings (size, and build-id or modification\n"
    "time) is taken as the profile that was recorded last has it. The result is the same\n"
    "in whatever order the profiles are given. Call stacks are not carried over.\n"
    "\n"
    "A LOG may have other lines in between, something before and behind a frame, and its\n"
    "lines in any order. What is damaged, missing or doubled is said; a profile that is not\n"
    "whole is left out.\n"
    "\n"
    "Exit status: 0; 1 if a PROFILE cannot be read or is damaged, or no LOG has a whole one:\n"
    "OUT is then as it was; 1 also if OUT was written without what a LOG has lost; 2 for a\n"
    "wrong command line.\n"
    "\n"
    "Examples:\n"
    "  coldboost merge -o app.cbp --min-share=50 run1.cbp run2.cbp run3.cbp\n"
    "  aws logs tail /aws/lambda/FUNCTION | coldboost merge -o app.cbp --from-log -\n";

static unsigned parse_share(const char *text)
{
    char *end;
    unsigned long share = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || share > 100)
        fail_usage("merge", "--min-share %s: a whole number from 0 to 100 is needed", text);
    return (unsigned)share;
}

static void report(const char *output, size_t count, const struct merge_totals *totals)
{
    FILE *out = output_is_standard(output) ? stderr : stdout;
    print_escaped(out, output_name(output));
    fprintf(out, ": %zu profile%s, %u executable%s, %u files, %ju pages (%.1f MiB), %ju dropped\n",
            count, count == 1 ? "" : "s", totals->executables, totals->executables == 1 ? "" : "s",
            totals->files, (uintmax_t)totals->pages,
            (double)totals->pages * PROFILE_PAGE_BYTES / (1 << 20), (uintmax_t)totals->dropped);
}

/* Returns how much of the log is lost. */
static size_t add_log(struct merge_sources *sources, const char *path)
{
    size_t size, count, faults = 0;
    uint8_t *text = read_stream(path, MAX_LOG_BYTES, &size);
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct framed_profile *found = frames_read(name, text, size, &count, &faults);
    for (size_t i = 0; i < count; i++) {
        struct merge_source *source = add_source(sources);
        source->name = found[i].name;
        source->bytes = found[i].bytes;
        check_profile(source->name, source->bytes, found[i].size, &source->profile);
    }
    if (!count)
        fail(EXIT_FAILED, "%s: there is no whole profile in it", name);
    free(found);
    free(text);
    return faults;
}

int command_merge(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"min-share", required_argument, NULL, 's'},
        {"from-log", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *output = NULL;
    unsigned min_share = 0;
    char **logs = xmalloc((size_t)argc * sizeof *logs);
    size_t log_count = 0, faults = 0;
    for (int c; (c = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1;) {
        if (c == 'o')
            output = optarg;
        else if (c == 's')
            min_share = parse_share(optarg);
        else if (c == 'l')
            logs[log_count++] = optarg;
        else if (c == 'h')
            print_help(help);
        else
            fail_usage_hint("merge");
    }
    if (!output)
        fail_usage("merge", "no output given; add -o OUT");
    if (optind == argc && !log_count)
        fail_usage("merge", "no profile given");
    output_check(output);

    struct merge_sources sources = {NULL, 0};
    for (size_t i = 0; i < log_count; i++)
        faults += add_log(&sources, logs[i]);
    for (; optind < argc; optind++)
        merge_add_file(&sources, argv[optind]);
    free(logs);

    struct merge_totals totals;
    size_t count = sources.count, size;
    uint8_t *bytes = merge_all(&sources, min_share, output, &size, &totals);
    bool written = output_write(output, bytes, size);
    if (written)
        report(output, count, &totals);
    free(bytes);
    return faults || !written ? EXIT_FAILED : EXIT_SUCCESS;
}
