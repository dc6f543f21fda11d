/*
 * fuzz_pages.c: /proc/PID/maps of a recorded process that calls its files what it likes, as the
 * recorder reads it.
 *
 * Input: how much the kernel hands out at once (1), then maps.
 */
#include "fuzz.h"

#include "base/sys.h"
#include "trace/pages.h"

enum { MAPS = 3, PAGEMAP, MOST_ANSWERS = 4 };

static struct input maps_text;
static size_t piece, answers;

static int pretended_open(const char *path, int flags)
{
    (void)flags;
    return path[0] == 'm' ? MAPS : PAGEMAP;
}

static long pretended_read(int fd, void *buffer, size_t bytes)
{
    MUST(fd == MAPS);
    size_t n = bytes < maps_text.left ? bytes : maps_text.left;
    n = n < piece ? n : piece;
    take(&maps_text, buffer, n);
    return (long)n;
}

static bool is_there(uint64_t page)
{
    return page % 5;
}

/* There is an end to what can be looked at. */
static long pretended_pread(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    MUST(fd == PAGEMAP && bytes % 8 == 0);
    uint64_t *entries = buffer;
    for (size_t i = 0; i < bytes / 8; i++)
        entries[i] = is_there(offset / 8 + i) ? UINT64_MAX : 0;
    return answers++ < MOST_ANSWERS ? (long)bytes : -EPERM;
}

static void *pretended_map(size_t bytes, int sharing)
{
    MUST(sharing == MAP_PRIVATE);
    return calloc(1, bytes);
}

#define sys_open                 pretended_open
#define sys_read                 pretended_read
#define sys_pread                pretended_pread
#define sys_map                  pretended_map
#define sys_unmap(memory, bytes) free(memory)
#define sys_close(fd)            MUST((fd) == MAPS || (fd) == PAGEMAP)
#include "trace/maps.c"
#include "trace/pages.c"

static bool see_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    MUST(mapping->path[0] == '/' && mapping->path[mapping->path_length] == '\0');
    MUST(mapping->path_length < MAPS_BYTES);
    answers = 0;
    return mapping->path_length % 8 != 0;
}

static void see_run(struct page_scan *scan, const struct mapping *mapping, uint64_t first_page,
                    uint64_t page_count)
{
    MUST(mapping->path[0] == '/' && page_count > 0);
    uint64_t page = first_page - mapping->offset / scan->page_bytes, end = page + page_count;
    for (page += mapping->start / scan->page_bytes; page_count > 0; page_count--)
        MUST(is_there(page++));
    MUST(!is_there(page) || answers > MOST_ANSWERS ||
         end >= (mapping->end - mapping->start) / scan->page_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    piece = (size_t)take_number(&input, 1) * 16 + 1;
    maps_text = input;
    struct page_scan scan = {
        .maps = "maps",
        .pagemap = "pagemap",
        .to = UINTPTR_MAX,
        .mapping = see_mapping,
        .run = see_run,
        .page_bytes = 4096,
    };
    int result = pages_scan(&scan);
    MUST(result == 0 || result == -E2BIG);
    return 0;
}
