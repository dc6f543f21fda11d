/*
 * sampler.c: reads /proc/PID/maps and pagemap of the recorded processes and appends what is new to
 * the trace. It needs no privilege beyond being the same user, adds no thread to the program, and
 * stops nothing.
 */
#include "watch/sampler.h"

#include "cli/command.h"
#include "cli/table.h"
#include "trace/pages.h"
#include "watch/seen_pages.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct watched {
    pid_t pid;
    bool is_known; /* to be recorded, whether it maps the trace or not */
    char *executable;
    uint32_t process; /* the name of this image in the trace; 0: not watched (yet) */
    uint64_t last_ns;
    struct seen_pages seen; /* are in the trace already */
};

struct run {
    uint32_t file, first_page, page_count;
};

struct sampler {
    struct trace_header *trace;
    const char *trace_mapping;
    char before[PATH_MAX]; /* what a known process executes until it is a recorded program */
    uint64_t page_bytes;
    uint32_t pids_read;
    struct watched *watched;
    size_t watched_count;
    /* of the look that is under way */
    struct watched *current;
    uint32_t file;
    bool maps_trace;
    struct run *runs;
    size_t run_count;
};

static void forget_image(struct watched *watched)
{
    seen_pages_free(&watched->seen);
    free(watched->executable);
    watched->executable = NULL;
    watched->process = 0;
}

static struct watched *find_watched(struct sampler *sampler, pid_t pid)
{
    for (size_t i = 0; i < sampler->watched_count; i++)
        if (sampler->watched[i].pid == pid)
            return &sampler->watched[i];
    return NULL;
}

static void watch(struct sampler *sampler, pid_t pid, bool is_known)
{
    if (find_watched(sampler, pid))
        return;
    *GROW(sampler->watched, sampler->watched_count) =
        (struct watched){.pid = pid, .is_known = is_known, .last_ns = trace_now(sampler->trace)};
}

static bool read_executable(pid_t pid, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length > 0)
        path[length] = '\0';
    return length > 0;
}

/* ---- one look at one process ------------------------------------------------------------------
 */

static bool find_trace(struct page_scan *scan, const struct mapping *mapping)
{
    struct sampler *sampler = scan->context;
    if (strcmp(mapping->path, sampler->trace_mapping) == 0)
        sampler->maps_trace = true;
    return false;
}

static void add_run(void *context, uint32_t file, uint64_t first_page, uint64_t page_count)
{
    struct sampler *sampler = context;
    *GROW(sampler->runs, sampler->run_count) =
        (struct run){file, (uint32_t)first_page, (uint32_t)page_count};
}

static void note_run(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                     uint64_t page_count)
{
    (void)mapping;
    struct sampler *sampler = scan->context;
    if (first_page + page_count <= UINT32_MAX)
        seen_pages_add(&sampler->current->seen, sampler->file, first_page, page_count, add_run,
                       sampler);
}

static bool note_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    struct sampler *sampler = scan->context;
    struct trace_header *trace = sampler->trace;
    sampler->file = trace_mapped_file(trace, mapping);
    if (!sampler->file || !S_ISREG(trace_file_at(trace, sampler->file)->mode))
        return false;
    /* The loader, or the kernel, has read the header before it mapped anything. */
    if (mapping->executable)
        note_run(scan, mapping, 0, 1);
    return true;
}

static int scan(struct sampler *sampler, const struct watched *watched,
                bool (*mapping)(struct page_scan *, const struct mapping *))
{
    char maps[64], pagemap[64];
    snprintf(maps, sizeof maps, "/proc/%d/maps", watched->pid);
    snprintf(pagemap, sizeof pagemap, "/proc/%d/pagemap", watched->pid);
    struct page_scan scan = {
        .maps = maps,
        .pagemap = pagemap,
        .to = UINTPTR_MAX,
        .mapping = mapping,
        .run = note_run,
        .page_bytes = sampler->page_bytes,
        .context = sampler,
    };
    return pages_scan(&scan);
}

/*
 * A process is looked at once it has mapped the trace: its number may be another's by now, or one
 * of another namespace. A known one is recorded from the moment it is another program than before.
 */
static void meet_image(struct sampler *sampler, struct watched *watched, const char *executable)
{
    forget_image(watched);
    sampler->maps_trace = false;
    if (watched->is_known)
        sampler->maps_trace = strcmp(executable, sampler->before) != 0;
    else
        scan(sampler, watched, find_trace);
    if (!sampler->maps_trace)
        return;
    watched->executable = xstrdup(executable);
    watched->process = trace_add_process(sampler->trace, (uint32_t)watched->pid, executable,
                                         (uint32_t)strlen(executable));
}

/* False once the process is gone. */
static bool look(struct sampler *sampler, struct watched *watched)
{
    char before[PATH_MAX], after[PATH_MAX];
    if (!read_executable(watched->pid, before))
        return false;
    if (!watched->executable || strcmp(watched->executable, before) != 0)
        meet_image(sampler, watched, before);
    if (!watched->process)
        return true;
    uint64_t now = trace_now(sampler->trace);
    sampler->current = watched;
    sampler->run_count = 0;
    scan(sampler, watched, note_mapping);
    if (read_executable(watched->pid, after) && strcmp(before, after) != 0)
        return true; /* it became another program meanwhile: whose pages were these? */
    for (size_t i = 0; i < sampler->run_count; i++) {
        struct trace_range range = {
            .process = watched->process,
            .file = sampler->runs[i].file,
            .first_page = sampler->runs[i].first_page,
            .page_count = sampler->runs[i].page_count,
            .how = TRACE_MAPPED,
            .time_ns = watched->last_ns,
        };
        trace_add_range(sampler->trace, &range);
    }
    watched->last_ns = now;
    return true;
}

/* ---- all processes ----------------------------------------------------------------------------
 */

struct sampler *sampler_new(struct trace_header *trace, const char *trace_mapping, pid_t main_pid,
                            const char *before)
{
    struct sampler *sampler = xmalloc(sizeof *sampler);
    *sampler = (struct sampler){
        .trace = trace,
        .trace_mapping = trace_mapping,
        .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
    };
    if (before)
        snprintf(sampler->before, sizeof sampler->before, "%s", before);
    else if (!read_executable(getpid(), sampler->before))
        fail(EXIT_FAILED, "cannot read /proc/self/exe; mount /proc");
    if (main_pid)
        watch(sampler, main_pid, true);
    return sampler;
}

void sampler_watch(struct sampler *sampler, pid_t pid)
{
    watch(sampler, pid, true);
}

uint32_t sampler_image(struct sampler *sampler, pid_t pid)
{
    char executable[PATH_MAX];
    struct watched *watched = find_watched(sampler, pid);
    if (watched && !watched->executable && read_executable(pid, executable))
        meet_image(sampler, watched, executable);
    return watched ? watched->process : 0;
}

bool sampler_maps_trace(struct sampler *sampler, pid_t pid)
{
    sampler->maps_trace = false;
    scan(sampler, &(struct watched){.pid = pid}, find_trace);
    return sampler->maps_trace;
}

void sampler_look_at(struct sampler *sampler, pid_t pid)
{
    struct watched *watched = find_watched(sampler, pid);
    if (watched)
        look(sampler, watched);
}

void sampler_look(struct sampler *sampler)
{
    uint32_t attached = sampler->trace->pid_count;
    if (attached - sampler->pids_read > TRACE_PIDS)
        sampler->pids_read = attached - TRACE_PIDS;
    for (; sampler->pids_read != attached; sampler->pids_read++)
        watch(sampler, (pid_t)sampler->trace->pids[sampler->pids_read % TRACE_PIDS], false);

    size_t kept = 0;
    for (size_t i = 0; i < sampler->watched_count; i++) {
        if (look(sampler, &sampler->watched[i]))
            sampler->watched[kept++] = sampler->watched[i];
        else
            forget_image(&sampler->watched[i]);
    }
    sampler->watched_count = kept;
}

uint64_t sampler_pause_ns(uint64_t cost_ns)
{
    const uint64_t epoch_ns = SAMPLER_EPOCH_US * 1000;
    return cost_ns < epoch_ns / 4 ? epoch_ns - cost_ns : 3 * cost_ns;
}

void sampler_free(struct sampler *sampler)
{
    for (size_t i = 0; i < sampler->watched_count; i++)
        forget_image(&sampler->watched[i]);
    free(sampler->watched);
    free(sampler->runs);
    free(sampler);
}
