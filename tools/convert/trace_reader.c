/*
 * trace_reader.c: gathers the executables, files and touches of a trace, and leaves out files that
 * cannot be prefetched.
 */
#include "convert/trace_reader.h"

#include "cli/command.h"
#include "cli/table.h"
#include "convert/first_touch.h"
#include "convert/trace_records.h"
#include "profile/identity.h"

#include <stdlib.h>
#include <string.h>

static_assert(TRACE_PAGE_BYTES == PROFILE_PAGE_BYTES, "ranges become ranges as they are");

/* Where a record of the trace went; indexed by unit. */
struct names {
    uint32_t *executable; /* of a process: its index */
    uint32_t *file;       /* its index */
    size_t units;
};

/* ---- executables and files ------------------------------------------------------------------ */

static bool is_left_out(const struct trace_options *options, const char *path)
{
    for (const char *const *leave = options->leave; leave && *leave; leave++)
        if (strcmp(*leave, path) == 0)
            return true;
    return false;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct recorded_file *)a)->path, ((const struct recorded_file *)b)->path);
}

/* Of a path that was read and looked up, the file is first: the look-ups are united with it. */
static int compare_files(const void *a, const void *b)
{
    const struct recorded_file *x = a, *y = b;
    int order = compare_paths(a, b);
    return order ? order : ORDER(x->identity.kind, y->identity.kind);
}

static int compare_with_path(const void *path, const void *file)
{
    return strcmp(path, ((const struct recorded_file *)file)->path);
}

uint32_t recording_find(const struct recording *recording, const char *path)
{
    const struct recorded_file *found =
        SEARCH(path, recording->files, recording->file_count, compare_with_path);
    return found ? (uint32_t)(found - recording->files) : NOT_RECORDED;
}

/* The kernel names a file differently in maps and stat on some file systems: unite them by path. */
static void collect_files(const struct trace_header *trace, const struct trace_options *options,
                          struct recording *out)
{
    const struct trace_file *file;
    for (struct trace_cursor at = {0}; (file = trace_next(trace, TRACE_FILE, &at));) {
        const char *path = trace_whole_path(&at, file->path);
        struct profile_file identity;
        if (!path || is_left_out(options, path))
            continue;
        if (file->key_device == TRACE_KEY_PATH
                ? identify_path(path, &options->since, &identity)
                : identify_file(path, file->device, options->by_path ? 0 : file->inode,
                                &options->since, &identity))
            *GROW(out->files, out->file_count) = (struct recorded_file){xstrdup(path), identity};
    }
    SORT(out->files, out->file_count, compare_files);
    size_t kept = 0;
    for (size_t i = 0; i < out->file_count; i++) {
        if (kept && compare_paths(&out->files[i], &out->files[kept - 1]) == 0)
            free(out->files[i].path);
        else
            out->files[kept++] = out->files[i];
    }
    out->file_count = kept;
}

static uint32_t *new_indices(size_t count)
{
    return memset(xmalloc(count * sizeof(uint32_t)), 0xff, count * sizeof(uint32_t));
}

static struct names name_records(const struct trace_header *trace, struct recording *out)
{
    size_t units = trace_end(trace), index;
    struct names names = {new_indices(units), new_indices(units), units};
    const struct trace_process *process;
    const struct trace_file *file;
    for (struct trace_cursor at = {0}; (process = trace_next(trace, TRACE_PROCESS, &at));) {
        const char *path = trace_whole_path(&at, process->path);
        if (!path || at.unit >= units)
            continue;
        (void)FIND_OR_ADD(out->executables, out->executable_count, path, &index);
        names.executable[at.unit] = (uint32_t)index;
    }
    for (struct trace_cursor at = {0}; (file = trace_next(trace, TRACE_FILE, &at));) {
        const char *path = trace_whole_path(&at, file->path);
        if (path && at.unit < units)
            names.file[at.unit] = recording_find(out, path);
    }
    return names;
}

/* ---- touches -------------------------------------------------------------------------------- */

static bool make_touch(const struct trace_range *range, const struct names *names,
                       const struct recording *recording, struct touch *out)
{
    if (range->process >= names->units || range->file >= names->units)
        return false;
    uint32_t executable = names->executable[range->process], file = names->file[range->file];
    if (executable == NOT_RECORDED || file == NOT_RECORDED)
        return false;
    *out = (struct touch){
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

static struct touch *collect_touches(const struct trace_header *trace, const struct names *names,
                                     const struct recording *recording, size_t *count)
{
    struct touch *touches = NULL, touch;
    const struct trace_range *range;
    *count = 0;
    for (struct trace_cursor at = {0}; (range = trace_next(trace, TRACE_RANGE, &at));) {
        if (!make_touch(range, names, recording, &touch))
            continue;
        touch.rank = (uint32_t)*count;
        *GROW(touches, *count) = touch;
    }
    return touches;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Files of which nothing was needed, and executables that needed nothing, leave the recording. */
static void drop_unused(struct recording *out)
{
    uint32_t *moved = new_indices(out->file_count);
    size_t executables = 0, files = 0;
    for (size_t e = 0; e < out->executable_count; e++) {
        struct recorded_executable executable = out->executables[e];
        for (size_t i = 0; i < executable.range_count; i++)
            moved[executable.ranges[i].file] = 0;
        if (executable.range_count) {
            out->executables[executables++] = executable;
        } else {
            free(executable.path);
            free(executable.ranges);
        }
    }
    for (size_t i = 0; i < out->file_count; i++) {
        if (moved[i] == NOT_RECORDED) {
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

void trace_read(const struct trace_header *trace, const struct trace_options *options,
                struct recording *out)
{
    size_t count;
    *out = (struct recording){0};
    collect_files(trace, options, out);
    struct names names = name_records(trace, out);
    struct touch *touches = collect_touches(trace, &names, out, &count);
    first_touch_order(touches, count, options->epoch_us, out);
    drop_unused(out);
    free(names.executable);
    free(names.file);
    free(touches);
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
