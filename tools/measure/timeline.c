/*
 * timeline.c: looks again and again which pages are in the page cache, with mincore(2).
 *
 * Mapping a file without touching it changes nothing in the page cache, and asking reads nothing,
 * where preadv2(RWF_NOWAIT) may start a read as it answers. Two things to know: since Linux 5.2
 * mincore() answers "resident" for files that one neither owns nor may write, so that it takes root
 * for most programs; and mapped files keep their inodes in memory, so that a watched start is a
 * little less cold than a measured one. It is for looking at, not for figures.
 */
#include "measure/timeline.h"

#include "cli/command.h"
#include "cli/table.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS  1000000
#define MAX_SPANS 30000 /* half of what a process may map (vm.max_map_count) */

struct span {
    uint8_t *map;
    uint32_t file, page_count, resident;
};

struct timeline_watch {
    struct span *spans;
    size_t span_count;
    unsigned char *pages; /* an answer of mincore() for the longest span */
    double begin_ms;
    atomic_bool stop;
    pthread_t thread;
    struct timeline timeline;
};

/* Maps one range, if the file still has it. mincore() counts in pages of the machine. */
static void add_span(struct timeline_watch *watch, const struct profile *profile,
                     const struct profile_range *range)
{
    const char *path = profile->strings + profile->files[range->file].path;
    int fd = open_recorded(path);
    struct stat status;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = (uint64_t)range->first_page * PROFILE_PAGE_BYTES;
    uint64_t end = first + (uint64_t)range->page_count * PROFILE_PAGE_BYTES;
    first -= first % page_bytes;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        first < (uint64_t)status.st_size && first < end) {
        end = end < (uint64_t)status.st_size ? end : (uint64_t)status.st_size;
        uint64_t count = (end - first + page_bytes - 1) / page_bytes;
        void *map = mmap(NULL, count * page_bytes, PROT_READ, MAP_SHARED, fd, (off_t)first);
        if (map != MAP_FAILED) {
            watch->spans[watch->span_count++] = (struct span){map, range->file, (uint32_t)count, 0};
            watch->timeline.file_pages[range->file] += (uint32_t)count;
        }
    }
    if (fd >= 0)
        close(fd);
}

struct timeline_watch *timeline_watch_new(const struct profile *profile,
                                          const struct profile_executable *section)
{
    struct timeline_watch *watch = xmalloc(sizeof *watch);
    *watch = (struct timeline_watch){.span_count = 0};
    watch->spans = xmalloc(section->range_count * sizeof *watch->spans);
    size_t bytes = profile->header->file_count * sizeof *watch->timeline.file_pages;
    watch->timeline.file_pages = memset(xmalloc(bytes), 0, bytes);
    for (uint32_t i = 0; i < section->range_count && watch->span_count < MAX_SPANS; i++)
        add_span(watch, profile, &profile->ranges[section->first_range + i]);
    uint32_t longest = 0;
    for (size_t i = 0; i < watch->span_count; i++)
        longest = watch->spans[i].page_count > longest ? watch->spans[i].page_count : longest;
    watch->pages = xmalloc(longest);
    return watch;
}

/* What has arrived stays: a span that is all there is not asked again. */
static void look(struct timeline_watch *watch, double at_ms)
{
    struct timeline *timeline = &watch->timeline;
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < watch->span_count; i++) {
        struct span *span = &watch->spans[i];
        if (span->resident == span->page_count ||
            mincore(span->map, span->page_count * page_bytes, watch->pages) != 0)
            continue;
        uint32_t resident = 0;
        for (uint32_t k = 0; k < span->page_count; k++)
            resident += watch->pages[k] & 1;
        if (resident <= span->resident)
            continue;
        *GROW(timeline->arrivals, timeline->arrival_count) =
            (struct arrival){at_ms, span->file, resident - span->resident};
        span->resident = resident;
    }
}

/* Never more than a quarter of a CPU. */
static void *watch_pages(void *argument)
{
    struct timeline_watch *watch = argument;
    while (!atomic_load(&watch->stop)) {
        double before = now_ms();
        look(watch, before - watch->begin_ms);
        long pause = (long)((now_ms() - before) * 3e6);
        pause = pause < PAUSE_NS ? PAUSE_NS : pause > 100 * PAUSE_NS ? 100 * PAUSE_NS : pause;
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
    }
    return NULL;
}

void timeline_begin(struct timeline_watch *watch)
{
    look(watch, 0);
    for (size_t i = 0; i < watch->span_count; i++)
        watch->timeline.available |= watch->spans[i].resident < watch->spans[i].page_count;
    watch->begin_ms = now_ms();
    int error = pthread_create(&watch->thread, NULL, watch_pages, watch);
    if (error)
        fail(EXIT_FAILED, "cannot start a thread: %s", strerror(error));
}

struct timeline timeline_end(struct timeline_watch *watch)
{
    watch->timeline.end_ms = now_ms() - watch->begin_ms;
    atomic_store(&watch->stop, true);
    pthread_join(watch->thread, NULL);
    look(watch, watch->timeline.end_ms); /* a busy machine may not have let the thread */
    struct timeline result = watch->timeline;
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < watch->span_count; i++)
        munmap(watch->spans[i].map, watch->spans[i].page_count * page_bytes);
    free(watch->spans);
    free(watch->pages);
    free(watch);
    return result;
}

void timeline_free(struct timeline *timeline)
{
    free(timeline->arrivals);
    free(timeline->file_pages);
}
