/*
 * pages.h: which pages of which files a process has touched, from /proc/PID/maps and pagemap.
 *
 * A page of a file mapping that is present in the page tables was touched, or a fault nearby mapped
 * it too ("fault-around") because it was in the page cache. Needs no privilege for one's own
 * processes. Uses system calls only: the recorder calls this in signal handlers and between vfork
 * and exec, the tool calls it to watch from outside.
 */
#pragma once

#include "trace/maps.h"

struct page_scan {
    const char *maps, *pagemap; /* "/proc/self/maps" and so on */
    uintptr_t from, to;         /* only mappings that touch these addresses */
    /* Called for each mapping of a file; false: do not look at its pages. */
    bool (*mapping)(struct page_scan *scan, const struct mapping *mapping);
    /* Called for each run of touched pages, in units of TRACE_PAGE_BYTES of the file. */
    void (*run)(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                uint64_t page_count);
    uint64_t page_bytes; /* of this machine */
    void *context;
};

/* Returns 0, or -errno if the process cannot be looked at. */
int pages_scan(struct page_scan *scan);

/* Whether a page of a file is mapped between the addresses of this process: a quick look. */
bool pages_has_file(uint64_t page_bytes, uintptr_t from, uintptr_t to);
