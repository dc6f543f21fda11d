/*
 * pages.c: touched pages from /proc/PID/maps and /proc/PID/pagemap. Allocates one scratch buffer a
 * scan, holds no descriptor between scans.
 */
#include "trace/pages.h"

#include "base/sys.h"
#include "trace/format.h"

/* The kernel's Documentation/admin-guide/mm/pagemap.rst. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE    (UINT64_C(1) << 61)

/* At a time: at most, and at least, as the mappings of a library lie side by side. */
#define MOST_ENTRIES  (8u << 10)
#define LEAST_ENTRIES 512u

struct scratch {
    struct page_scan *scan;
    int pagemap;
    char maps[MAPS_BYTES];
    uint64_t first_page, page_count; /* that the entries below are of */
    uint64_t entries[MOST_ENTRIES];
};

/* The entries of the pages from first to end, or of some of them, and their count; 0: none. */
static uint64_t read_entries(struct scratch *scratch, uint64_t first, uint64_t end,
                             const uint64_t **entries)
{
    uint64_t wanted = end - first;
    if (first - scratch->first_page >= scratch->page_count) {
        uint64_t count = wanted < MOST_ENTRIES ? wanted : MOST_ENTRIES;
        count = count > LEAST_ENTRIES ? count : LEAST_ENTRIES;
        long got = sys_pread(scratch->pagemap, scratch->entries, count * sizeof **entries,
                             first * sizeof **entries);
        scratch->first_page = first;
        scratch->page_count = got < 0 ? 0 : (uint64_t)got / sizeof **entries;
    }
    uint64_t skipped = first - scratch->first_page, left = scratch->page_count - skipped;
    *entries = scratch->entries + skipped;
    return wanted < left ? wanted : left;
}

static void look_at_pages(const struct mapping *mapping, struct scratch *scratch)
{
    struct page_scan *scan = scratch->scan;
    const uint64_t *entries;
    uint64_t shift = scan->page_bytes / TRACE_PAGE_BYTES;
    uint64_t page = mapping->start / scan->page_bytes, end = mapping->end / scan->page_bytes;
    uint64_t file_page = mapping->offset / scan->page_bytes;
    uint64_t run = 0, n;
    while (page < end && (n = read_entries(scratch, page, end, &entries)) > 0) {
        for (uint64_t i = 0; i < n; i++) {
            if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) {
                run++;
            } else if (run) {
                scan->run(scan, mapping, (file_page + i - run) * shift, run * shift);
                run = 0;
            }
        }
        page += n;
        file_page += n;
    }
    if (run)
        scan->run(scan, mapping, (file_page - run) * shift, run * shift);
}

static void look_at_mapping(const struct mapping *mapping, void *context)
{
    struct scratch *scratch = context;
    struct page_scan *scan = scratch->scan;
    if (mapping->start < scan->to && mapping->end > scan->from && scan->mapping(scan, mapping))
        look_at_pages(mapping, scratch);
}

int pages_scan(struct page_scan *scan)
{
    int maps = sys_open(scan->maps, O_RDONLY);
    if (maps < 0)
        return maps;
    int pagemap = sys_open(scan->pagemap, O_RDONLY);
    int result = pagemap;
    if (pagemap >= 0) {
        struct scratch *scratch = sys_map(sizeof *scratch, MAP_PRIVATE);
        result = -ENOMEM;
        if (scratch) {
            scratch->scan = scan;
            scratch->pagemap = pagemap;
            result = maps_visit(maps, scratch->maps, look_at_mapping, scratch);
            sys_unmap(scratch, sizeof *scratch);
        }
        sys_close(pagemap);
    }
    sys_close(maps);
    return result;
}

bool pages_has_file(uint64_t page_bytes, uintptr_t from, uintptr_t to)
{
    enum { BATCH = 128 };
    uint64_t entries[BATCH];
    int pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
    bool found = false;
    uint64_t page = from / page_bytes, end = (to + page_bytes - 1) / page_bytes;
    while (pagemap >= 0 && page < end && !found) {
        uint64_t want = end - page < BATCH ? end - page : BATCH;
        long got = sys_pread(pagemap, entries, want * sizeof *entries, page * sizeof *entries);
        if (got < (long)sizeof *entries)
            break;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof *entries; i++)
            found = found || (entries[i] & PAGEMAP_PRESENT && entries[i] & PAGEMAP_FILE);
        page += (uint64_t)got / sizeof *entries;
    }
    if (pagemap >= 0)
        sys_close(pagemap);
    return found;
}
