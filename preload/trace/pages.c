/*
 * pages.c: touched pages from /proc/PID/maps and /proc/PID/pagemap. Allocates one scratch buffer a
 * scan, holds no descriptor between scans.
 */
#include "trace/pages.h"

#include "base/sys.h"
#include "replay/profile.h"

/* The kernel's Documentation/admin-guide/mm/pagemap.rst. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE    (UINT64_C(1) << 61)

#define MAPS_BYTES      (32u << 10)
#define PAGEMAP_ENTRIES (8u << 10)

struct scratch {
    char maps[MAPS_BYTES];
    uint64_t entries[PAGEMAP_ENTRIES];
};

static uint64_t parse_number(const char **text, unsigned base)
{
    uint64_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

static bool step_over(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

/*
 * Parses "START-END PERM OFFSET MAJOR:MINOR INODE   PATH"; false unless the line, which a zero
 * ends, maps a file. The device number is packed as stat(2) has it.
 */
static bool parse_line(const char *line, uint32_t length, struct mapping *out)
{
    const char *next = line;
    out->start = parse_number(&next, 16);
    if (!step_over(&next, '-'))
        return false;
    out->end = parse_number(&next, 16);
    if (!step_over(&next, ' ') || line + length - next < 5)
        return false;
    out->executable = next[2] == 'x';
    next += 4;
    if (!step_over(&next, ' '))
        return false;
    out->offset = parse_number(&next, 16);
    if (!step_over(&next, ' '))
        return false;
    uint64_t major = parse_number(&next, 16);
    if (!step_over(&next, ':'))
        return false;
    uint64_t minor = parse_number(&next, 16);
    if (!step_over(&next, ' '))
        return false;
    out->inode = parse_number(&next, 10);
    while (*next == ' ')
        next++;
    if (!out->inode || *next != '/')
        return false;
    out->device = (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~UINT64_C(0xff)) << 12 |
                  (major & ~UINT64_C(0xfff)) << 32;
    out->path = next;
    out->path_length = (uint32_t)(line + length - next);
    return true;
}

static void look_at(struct page_scan *scan, const struct mapping *mapping, int pagemap,
                    uint64_t *entries)
{
    uint64_t shift = scan->page_bytes / PROFILE_PAGE_BYTES;
    uint64_t page = mapping->start / scan->page_bytes, end = mapping->end / scan->page_bytes;
    uint64_t file_page = mapping->offset / scan->page_bytes;
    uint64_t run = 0;
    while (page < end) {
        uint64_t want = end - page < PAGEMAP_ENTRIES ? end - page : PAGEMAP_ENTRIES;
        long got = sys_pread(pagemap, entries, want * sizeof *entries, page * sizeof *entries);
        if (got < (long)sizeof *entries)
            break;
        uint64_t n = (uint64_t)got / sizeof *entries;
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

static void look_at_line(struct page_scan *scan, const char *line, uint32_t length, int pagemap,
                         uint64_t *entries)
{
    struct mapping mapping;
    if (parse_line(line, length, &mapping) && mapping.start < scan->to &&
        mapping.end > scan->from && scan->mapping(scan, &mapping))
        look_at(scan, &mapping, pagemap, entries);
}

/* Hands out the whole lines at the beginning of text and returns what is left of it. */
static uint32_t look_at_lines(struct page_scan *scan, char *text, uint32_t length, int pagemap,
                              uint64_t *entries)
{
    uint32_t line = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (text[i] != '\n')
            continue;
        text[i] = '\0';
        look_at_line(scan, text + line, i - line, pagemap, entries);
        line = i + 1;
    }
    for (uint32_t i = line; i < length; i++)
        text[i - line] = text[i];
    return length - line;
}

static int look_at_all(struct page_scan *scan, int maps, int pagemap, struct scratch *scratch)
{
    uint32_t have = 0;
    for (;;) {
        long n = sys_read(maps, scratch->maps + have, MAPS_BYTES - have);
        if (n <= 0)
            return (int)n;
        have = look_at_lines(scan, scratch->maps, have + (uint32_t)n, pagemap, scratch->entries);
        if (have == MAPS_BYTES)
            return -E2BIG; /* no line is this long */
    }
}

int pages_scan(struct page_scan *scan)
{
    int maps = sys_open(scan->maps, O_RDONLY);
    if (maps < 0)
        return maps;
    int pagemap = sys_open(scan->pagemap, O_RDONLY);
    int result = pagemap;
    if (pagemap >= 0) {
        void *scratch = sys_map(sizeof(struct scratch), MAP_PRIVATE);
        result = scratch ? look_at_all(scan, maps, pagemap, scratch) : -ENOMEM;
        if (scratch)
            sys_unmap(scratch, sizeof(struct scratch));
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
