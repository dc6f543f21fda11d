/*
 * seen_pages.c: a row of files, each with a bit a page.
 */
#include "watch/seen_pages.h"

#include "cli/command.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

struct seen_file {
    uint32_t file;
    uint8_t *bits;
    uint64_t pages; /* that bits has room for */
};

static void make_room(struct seen_file *file, uint64_t pages)
{
    uint64_t bytes = pages / 8 + 1, had = file->pages / 8;
    file->bits = xrealloc(file->bits, bytes);
    memset(file->bits + had, 0, bytes - had);
    file->pages = bytes * 8;
}

/* Files come in the order of the look before: the search rarely takes more than a step. */
static struct seen_file *find_file(struct seen_pages *seen, uint32_t file)
{
    for (size_t i = 0; i < seen->count; i++) {
        size_t at = (seen->hint + i) % seen->count;
        if (seen->files[at].file == file) {
            seen->hint = at;
            return &seen->files[at];
        }
    }
    struct seen_file *added = GROW(seen->files, seen->count);
    *added = (struct seen_file){.file = file};
    return added;
}

void seen_pages_add(struct seen_pages *seen, uint32_t file, uint64_t first_page,
                    uint64_t page_count,
                    void (*add)(void *context, uint32_t file, uint64_t first, uint64_t count),
                    void *context)
{
    struct seen_file *found = find_file(seen, file);
    if (found->pages < first_page + page_count)
        make_room(found, first_page + page_count);
    uint64_t run = 0, page;
    for (page = first_page; page < first_page + page_count; page++) {
        if (set_bit(found->bits, page)) {
            run++;
        } else if (run) {
            add(context, file, page - run, run);
            run = 0;
        }
    }
    if (run)
        add(context, file, page - run, run);
}

void seen_pages_free(struct seen_pages *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        free(seen->files[i].bits);
    free(seen->files);
    *seen = (struct seen_pages){0};
}
