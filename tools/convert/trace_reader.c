/*
 * trace_reader.c: sorts what all processes saw by time, keeps of each page the first touch by each
 * executable, and leaves out files that cannot be prefetched. The trace was written by programs
 * that may have been killed, or may have written over it: every record is checked before it is
 * believed.
 */
#include "convert/trace_reader.h"

#include "cli/command.h"
#include "convert/neighbours.h"
#include "profile/identity.h"

#include <stdlib.h>
#include <string.h>

static_assert(TRACE_PAGE_BYTES == PROFILE_PAGE_BYTES, "ranges become ranges as they are");

enum { NONE = UINT32_MAX };

/* Where a record of the trace went; indexed by unit. */
struct names {
    uint32_t *executable; /* of a process: its index */
    uint32_t *file;       /* its index */
    size_t units;
};

struct event {
    uint64_t time_ns;
    uint32_t executable, file;
    uint32_t first_page, page_count;
    uint32_t rank;   /* in the order of the trace; then in that of all events */
    bool is_loading; /* the loader's, ahead of all others of the image */
};

struct events {
    struct event *all;
    size_t count, room;
};

struct pieces {
    struct piece *all;
    size_t count, room;
};

/* Adds an element at the end of a growing array and yields a pointer to it. */
#define GROW(array, count, room)                                                                   \
    ((count) == (room)                                   ? (room) = (room) ? 2 * (room) : 64,      \
     (array) = xrealloc(array, (room) * sizeof *(array)) : (array), &(array)[(count)++])

/* ---- records -------------------------------------------------------------------------------- */

static const void *at(const struct trace_header *trace, size_t unit)
{
    return (const uint8_t *)trace + unit * TRACE_UNIT;
}

size_t trace_end(const struct trace_header *trace)
{
    size_t end = trace->next_unit, last = trace_units();
    return end < last ? end : last;
}

const struct trace_record *trace_next_record(const struct trace_header *trace, size_t *unit,
                                             size_t *units)
{
    for (size_t end = trace_end(trace); *unit < end; *unit += *units) {
        const struct trace_record *record = at(trace, *unit);
        *units = record->units ? record->units : 1;
        if (*units > end - *unit)
            *units = end - *unit;
        if (record->kind & TRACE_COMPLETE && record->units == *units)
            return record;
    }
    return NULL;
}

const char *trace_path_in(const struct trace_record *record, size_t units, size_t offset)
{
    size_t bytes = units * TRACE_UNIT;
    const char *path = (const char *)record + offset;
    if (bytes <= offset || path[0] != '/' || !memchr(path, '\0', bytes - offset))
        return NULL;
    return path;
}

/* ---- executables and files ------------------------------------------------------------------ */

static uint32_t executable_index(struct recording *out, const char *path)
{
    for (size_t i = 0; i < out->executable_count; i++)
        if (strcmp(out->executables[i].path, path) == 0)
            return (uint32_t)i;
    size_t count = out->executable_count++;
    out->executables = xrealloc(out->executables, (count + 1) * sizeof *out->executables);
    out->executables[count] = (struct recorded_executable){.path = xstrdup(path)};
    return (uint32_t)count;
}

static bool is_left_out(const struct trace_options *options, const char *path)
{
    for (const char *const *leave = options->leave; leave && *leave; leave++)
        if (strcmp(*leave, path) == 0)
            return true;
    return false;
}

static int compare_paths(const void *a, const void *b)
{
    const struct recorded_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* Of a path that was read and looked up, the file is first: the look-ups are united with it. */
static int compare_files(const void *a, const void *b)
{
    const struct recorded_file *x = a, *y = b;
    int order = compare_paths(a, b);
    return order ? order : (int)x->identity.kind - (int)y->identity.kind;
}

/* The kernel names a file differently in maps and stat on some file systems: unite them by path. */
static uint32_t file_index(struct recording *out, const struct recorded_file *wanted)
{
    if (!out->file_count)
        return NONE;
    const struct recorded_file *found =
        bsearch(wanted, out->files, out->file_count, sizeof *out->files, compare_paths);
    return found ? (uint32_t)(found - out->files) : NONE;
}

static void collect_files(const struct trace_header *trace, const struct trace_options *options,
                          struct recording *out)
{
    size_t unit = TRACE_FIRST_UNIT, units, room = 0;
    const struct trace_record *record;
    for (; (record = trace_next_record(trace, &unit, &units)); unit += units) {
        const struct trace_file *file = (const void *)record;
        if (record->kind != (TRACE_FILE | TRACE_COMPLETE))
            continue;
        const char *path = trace_path_in(record, units, offsetof(struct trace_file, path));
        struct profile_file identity;
        if (!path || is_left_out(options, path))
            continue;
        if (file->key_device == TRACE_KEY_PATH
                ? identify_path(path, &options->since, &identity)
                : identify_file(path, file->device, file->inode, &options->since, &identity))
            *GROW(out->files, out->file_count, room) =
                (struct recorded_file){.path = xstrdup(path), .identity = identity};
    }
    if (!out->file_count)
        return;
    qsort(out->files, out->file_count, sizeof *out->files, compare_files);
    size_t kept = 1;
    for (size_t i = 1; i < out->file_count; i++) {
        if (strcmp(out->files[i].path, out->files[kept - 1].path) == 0)
            free(out->files[i].path);
        else
            out->files[kept++] = out->files[i];
    }
    out->file_count = kept;
}

static void name_records(const struct trace_header *trace, struct recording *out,
                         struct names *names)
{
    names->units = trace_end(trace);
    names->executable = xmalloc(names->units * sizeof *names->executable);
    names->file = xmalloc(names->units * sizeof *names->file);
    memset(names->executable, 0xff, names->units * sizeof *names->executable);
    memset(names->file, 0xff, names->units * sizeof *names->file);

    size_t unit = TRACE_FIRST_UNIT, units;
    const struct trace_record *record;
    for (; (record = trace_next_record(trace, &unit, &units)); unit += units) {
        const char *path = NULL;
        if (record->kind == (TRACE_PROCESS | TRACE_COMPLETE) &&
            (path = trace_path_in(record, units, offsetof(struct trace_process, path))))
            names->executable[unit] = executable_index(out, path);
        if (record->kind == (TRACE_FILE | TRACE_COMPLETE) &&
            (path = trace_path_in(record, units, offsetof(struct trace_file, path)))) {
            char *copy = xstrdup(path);
            names->file[unit] = file_index(out, &(struct recorded_file){.path = copy});
            free(copy);
        }
    }
}

/* ---- ranges --------------------------------------------------------------------------------- */

static bool make_event(const struct trace_range *range, const struct names *names,
                       const struct recording *recording, struct event *out)
{
    if (range->process >= names->units || range->file >= names->units)
        return false;
    uint32_t executable = names->executable[range->process], file = names->file[range->file];
    if (executable == NONE || file == NONE)
        return false;
    *out = (struct event){
        .time_ns = range->time_ns,
        .executable = executable,
        .file = file,
        .first_page = range->first_page,
        .is_loading = range->how == TRACE_LOADED,
    };
    if (range->how == TRACE_LISTED || range->how == TRACE_LOOKED_UP ||
        (out->is_loading && !range->page_count))
        return true;
    const struct profile_file *identity = &recording->files[file].identity;
    uint64_t pages = (identity->size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
    if (identity->kind != PROFILE_FILE_REGULAR || !range->page_count || range->first_page >= pages)
        return false;
    uint64_t left = pages - range->first_page;
    out->page_count = range->page_count < left ? range->page_count : (uint32_t)left;
    return true;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->executable != y->executable)
        return x->executable < y->executable ? -1 : 1;
    if (x->is_loading != y->is_loading)
        return x->is_loading ? -1 : 1;
    if (x->is_loading || x->time_ns == y->time_ns)
        return x->rank < y->rank ? -1 : x->rank > y->rank;
    return x->time_ns < y->time_ns ? -1 : 1;
}

/* What the loader did was seen when it was done, and is as old as the first page that was touched.
 */
static void settle(struct events *events)
{
    for (size_t i = events->count; i-- > 0;) {
        struct event *event = &events->all[i];
        event->rank = (uint32_t)i;
        if (event->is_loading && i + 1 < events->count && event[1].executable == event->executable)
            event->time_ns = event[1].time_ns;
    }
}

static void collect_events(const struct trace_header *trace, const struct names *names,
                           const struct recording *recording, struct events *out)
{
    size_t unit = TRACE_FIRST_UNIT, units;
    const struct trace_record *record;
    for (; (record = trace_next_record(trace, &unit, &units)); unit += units) {
        struct event event;
        if (record->kind == (TRACE_RANGE | TRACE_COMPLETE) &&
            make_event((const void *)record, names, recording, &event)) {
            event.rank = (uint32_t)out->count;
            *GROW(out->all, out->count, out->room) = event;
        }
    }
    if (out->count)
        qsort(out->all, out->count, sizeof *out->all, compare_events);
    settle(out);
}

/* What is known of a file while the events of one executable go by. */
struct file_state {
    uint8_t *seen; /* a bit a page */
    bool looked_up;
    uint32_t epoch;
    uint32_t rank; /* of the event of its first new page in that epoch */
};

static void free_states(struct file_state *states, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(states[i].seen);
    free(states);
}

static bool see(uint8_t *seen, uint64_t page)
{
    uint8_t bit = (uint8_t)(1u << page % 8);
    bool is_new = !(seen[page / 8] & bit);
    seen[page / 8] |= bit;
    return is_new;
}

static void add_piece(struct pieces *pieces, struct file_state *state, const struct event *event,
                      uint32_t first_page, uint32_t page_count, uint32_t epoch)
{
    if (state->epoch != epoch) {
        state->epoch = epoch;
        state->rank = event->rank;
    }
    *GROW(pieces->all, pieces->count, pieces->room) = (struct piece){
        .range = {event->file, first_page, page_count, epoch},
        .file_rank = state->rank,
    };
}

/* Adds the runs of those of the event's pages that are new. */
static void add_event(struct pieces *pieces, struct file_state *state,
                      const struct profile_file *identity, const struct event *event,
                      uint32_t epoch)
{
    if (!state->seen) {
        uint64_t pages = identity->size / PROFILE_PAGE_BYTES + 1;
        state->seen =
            calloc(pages / 8 + 1, 1); /* touched only where used: the file may be sparse */
        if (!state->seen)
            fail(EXIT_FAILED, "out of memory (%ju pages)", (uintmax_t)pages);
        state->epoch = NONE;
    }
    /* What is read has been looked up, if only by the loader or the kernel. */
    if (!state->looked_up) {
        state->looked_up = true;
        add_piece(pieces, state, event, 0, 0, epoch);
    }
    uint32_t run = 0;
    for (uint32_t i = 0; i < event->page_count; i++) {
        if (see(state->seen, event->first_page + i)) {
            run++;
        } else if (run) {
            add_piece(pieces, state, event, event->first_page + i - run, run, epoch);
            run = 0;
        }
    }
    if (run)
        add_piece(pieces, state, event, event->first_page + event->page_count - run, run, epoch);
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->range.epoch != y->range.epoch)
        return x->range.epoch < y->range.epoch ? -1 : 1;
    if (x->file_rank != y->file_rank)
        return x->file_rank < y->file_rank ? -1 : 1;
    if (x->range.file != y->range.file)
        return x->range.file < y->range.file ? -1 : 1;
    if (x->range.first_page != y->range.first_page)
        return x->range.first_page < y->range.first_page ? -1 : 1;
    return x->range.page_count < y->range.page_count ? -1 : 1;
}

/* Sorts them, and makes one piece of those that go on where the one before ends. */
static void coalesce(struct pieces *pieces)
{
    size_t kept = 0;
    if (pieces->count)
        qsort(pieces->all, pieces->count, sizeof *pieces->all, compare_pieces);
    for (size_t i = 0; i < pieces->count; i++) {
        const struct profile_range *range = &pieces->all[i].range;
        struct profile_range *last = kept ? &pieces->all[kept - 1].range : NULL;
        if (last && last->page_count && last->file == range->file && last->epoch == range->epoch &&
            last->first_page + last->page_count == range->first_page)
            last->page_count += range->page_count;
        else
            pieces->all[kept++] = pieces->all[i];
    }
    pieces->count = kept;
}

static void hand_out(const struct pieces *pieces, struct recorded_executable *out)
{
    out->range_count = pieces->count;
    out->ranges = xmalloc(pieces->count * sizeof *out->ranges);
    for (size_t i = 0; i < pieces->count; i++)
        out->ranges[i] = pieces->all[i].range;
}

static void order_ranges(const struct events *events, uint32_t epoch_us, struct recording *out)
{
    size_t i = 0;
    for (uint32_t executable = 0; executable < out->executable_count; executable++) {
        struct pieces pieces = {0};
        struct file_state *states = xmalloc(out->file_count * sizeof *states);
        memset(states, 0, out->file_count * sizeof *states);
        for (; i < events->count && events->all[i].executable == executable; i++) {
            const struct event *event = &events->all[i];
            uint64_t epoch = event->time_ns / 1000 / epoch_us;
            add_event(&pieces, &states[event->file], &out->files[event->file].identity, event,
                      epoch < NONE ? (uint32_t)epoch : NONE - 1);
        }
        coalesce(&pieces);
        neighbours_bring_forward(pieces.all, pieces.count);
        coalesce(&pieces);
        hand_out(&pieces, &out->executables[executable]);
        free(pieces.all);
        free_states(states, out->file_count);
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Files of which nothing was needed, and executables that needed nothing, leave the recording. */
static void drop_unused(struct recording *out)
{
    uint32_t *moved = xmalloc(out->file_count * sizeof *moved);
    memset(moved, 0xff, out->file_count * sizeof *moved);
    size_t executables = 0, files = 0;
    for (size_t e = 0; e < out->executable_count; e++) {
        struct recorded_executable executable = out->executables[e];
        for (size_t i = 0; i < executable.range_count; i++)
            moved[executable.ranges[i].file] = 0;
        if (executable.range_count)
            out->executables[executables++] = executable;
        else {
            free(executable.path);
            free(executable.ranges);
        }
    }
    for (size_t i = 0; i < out->file_count; i++) {
        if (moved[i] == NONE) {
            free(out->files[i].path);
        } else {
            moved[i] = (uint32_t)files;
            out->files[files++] = out->files[i];
        }
    }
    out->executable_count = executables;
    out->file_count = files;
    for (size_t e = 0; e < executables; e++)
        for (size_t i = 0; i < out->executables[e].range_count; i++)
            out->executables[e].ranges[i].file = moved[out->executables[e].ranges[i].file];
    free(moved);
}

static void count_pages(struct recording *out)
{
    struct file_state *states = xmalloc(out->file_count * sizeof *states);
    memset(states, 0, out->file_count * sizeof *states);
    for (size_t e = 0; e < out->executable_count; e++) {
        for (size_t i = 0; i < out->executables[e].range_count; i++) {
            const struct profile_range *range = &out->executables[e].ranges[i];
            struct file_state *state = &states[range->file];
            if (!state->seen)
                state->seen =
                    calloc(out->files[range->file].identity.size / PROFILE_PAGE_BYTES / 8 + 1, 1);
            for (uint32_t page = 0; state->seen && page < range->page_count; page++)
                out->page_count += see(state->seen, (uint64_t)range->first_page + page);
        }
    }
    free_states(states, out->file_count);
}

void trace_read(const struct trace_header *trace, const struct trace_options *options,
                struct recording *out)
{
    struct names names;
    struct events events = {0};
    *out = (struct recording){0};
    collect_files(trace, options, out);
    name_records(trace, out, &names);
    collect_events(trace, &names, out, &events);
    order_ranges(&events, options->epoch_us, out);
    drop_unused(out);
    count_pages(out);
    free(names.executable);
    free(names.file);
    free(events.all);
}

void recording_free(struct recording *recording)
{
    for (size_t i = 0; i < recording->file_count; i++)
        free(recording->files[i].path);
    for (size_t i = 0; i < recording->executable_count; i++) {
        free(recording->executables[i].path);
        free(recording->executables[i].ranges);
    }
    free(recording->files);
    free(recording->executables);
    *recording = (struct recording){0};
}
