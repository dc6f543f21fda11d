/*
 * io_floor.c: reads a section's ranges as fast as the device gives them.
 *
 * A start cannot be faster than this. So nothing may be read that the profile does not name
 * (readahead is off for these descriptors: POSIX_FADV_RANDOM), nothing twice, and there are more
 * threads than CPUs: they wait, for the device and, with many small files, for directory entries.
 */
#include "measure/io_floor.h"

#include "cli/command.h"
#include "cli/table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enough: 42, 34, 32, 28 and 29 ms with 2, 4, 8, 16 and 32, for the 16 MiB of a python3 start. */
#define THREADS     16
#define PIECE_PAGES 32u /* one read: as much as a request to the device usually takes */

struct floor_piece {
    uint32_t file, first_page, page_count;
};

struct io_floor {
    const struct profile *profile;
    struct floor_piece *pieces; /* by file and offset */
    size_t piece_count;
    atomic_size_t next;
    uint8_t *buffers; /* one piece a thread, touched beforehand */
};

static int by_place(const void *a, const void *b)
{
    const struct profile_range *x = a, *y = b;
    return x->file != y->file ? ORDER(x->file, y->file) : ORDER(x->first_page, y->first_page);
}

static void add_pieces(struct io_floor *floor, uint32_t file, uint64_t page, uint64_t end)
{
    while (page < end) {
        uint32_t count = end - page < PIECE_PAGES ? (uint32_t)(end - page) : PIECE_PAGES;
        *GROW(floor->pieces, floor->piece_count) =
            (struct floor_piece){file, (uint32_t)page, count};
        page += count;
    }
}

struct io_floor *io_floor_new(const struct profile *profile,
                              const struct profile_executable *section)
{
    struct io_floor *floor = xmalloc(sizeof *floor);
    *floor = (struct io_floor){.profile = profile};
    uint32_t count = section->range_count;
    struct profile_range *ranges = xmalloc(count * sizeof *ranges);
    memcpy(ranges, profile->ranges + section->first_range, count * sizeof *ranges);
    qsort(ranges, count, sizeof *ranges, by_place);
    for (uint32_t i = 0; i < count;) {
        uint32_t file = ranges[i].file;
        uint64_t page = ranges[i].first_page, end = page + ranges[i].page_count;
        for (i++; i < count && ranges[i].file == file && ranges[i].first_page <= end; i++) {
            uint64_t next_end = (uint64_t)ranges[i].first_page + ranges[i].page_count;
            end = next_end > end ? next_end : end;
        }
        add_pieces(floor, file, page, end);
    }
    free(ranges);
    size_t bytes = (size_t)THREADS * PIECE_PAGES * PROFILE_PAGE_BYTES;
    floor->buffers = memset(xmalloc(bytes), 1, bytes);
    return floor;
}

struct floor_reader {
    struct io_floor *floor;
    uint8_t *buffer;
    pthread_t thread;
};

static void *read_pieces(void *argument)
{
    const struct floor_reader *reader = argument;
    struct io_floor *floor = reader->floor;
    const struct profile *profile = floor->profile;
    uint32_t open_file = UINT32_MAX;
    int fd = -1;
    for (size_t i; (i = atomic_fetch_add(&floor->next, 1)) < floor->piece_count;) {
        const struct floor_piece *piece = &floor->pieces[i];
        if (piece->file != open_file) {
            if (fd >= 0)
                close(fd);
            fd = open_recorded_pages(profile->strings + profile->files[piece->file].path);
            open_file = piece->file;
        }
        size_t bytes = (size_t)piece->page_count * PROFILE_PAGE_BYTES;
        off_t offset = (off_t)piece->first_page * PROFILE_PAGE_BYTES;
        if (fd >= 0)
            while (pread(fd, reader->buffer, bytes, offset) < 0 && errno == EINTR) {
            }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

void io_floor_read(struct io_floor *floor)
{
    struct floor_reader readers[THREADS];
    atomic_store(&floor->next, 0);
    for (size_t i = 0; i < THREADS; i++) {
        readers[i].floor = floor;
        readers[i].buffer = floor->buffers + i * PIECE_PAGES * PROFILE_PAGE_BYTES;
        int error = pthread_create(&readers[i].thread, NULL, read_pieces, &readers[i]);
        if (error)
            fail(EXIT_FAILED, "cannot start a thread: %s", strerror(error));
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(readers[i].thread, NULL);
}

void io_floor_free(struct io_floor *floor)
{
    free(floor->pieces);
    free(floor->buffers);
    free(floor);
}
