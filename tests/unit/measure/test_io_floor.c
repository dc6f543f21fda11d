#include "measure/io_floor.h"

#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Files of our own: of those mincore() tells the truth. */
#define PAGES 100
static const char *const names[] = {"floor-a", "floor-b"};
static bool wanted[2][PAGES];

static void create(void)
{
    char page[PROFILE_PAGE_BYTES];
    memset(page, 'x', sizeof page);
    for (int i = 0; i < 2; i++) {
        int fd = open(names[i], O_RDWR | O_CREAT | O_TRUNC, 0600);
        cr_assert_geq(fd, 0);
        for (int k = 0; k < PAGES; k++) /* the last page is cut */
            cr_assert_gt(write(fd, page, k < PAGES - 1 ? sizeof page : 10), 0);
        cr_assert_eq(fsync(fd), 0);
        cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        close(fd);
    }
    memset(wanted, 0, sizeof wanted);
}

static void delete (void)
{
    for (int i = 0; i < 2; i++)
        unlink(names[i]);
}

/* PROT_NONE: valgrind reads the first page of what is mapped to be read. */
static size_t resident(int file, unsigned char *pages)
{
    size_t bytes = (PAGES - 1) * PROFILE_PAGE_BYTES + 10, count = 0;
    int fd = open(names[file], O_RDONLY);
    void *map = mmap(NULL, bytes, PROT_NONE, MAP_SHARED, fd, 0);
    cr_assert_neq(map, MAP_FAILED);
    cr_assert_eq(mincore(map, bytes, pages), 0);
    for (int i = 0; i < PAGES; i++)
        count += pages[i] &= 1;
    munmap(map, bytes);
    close(fd);
    return count;
}

static void want(struct profile_writer *writer, uint32_t file, uint32_t first, uint32_t count)
{
    struct profile_range range = {.file = file, .first_page = first, .page_count = count};
    profile_writer_add_range(writer, &range);
    for (uint32_t i = 0; i < count && file < 2; i++)
        wanted[file][first + i] = true;
}

static void add_file(struct profile_writer *writer, const char *name, enum profile_file_kind kind)
{
    char folder[2048], path[4096];
    cr_assert_not_null(getcwd(folder, sizeof folder));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct profile_file identity = {
        .size = (PAGES - 1) * PROFILE_PAGE_BYTES + 10, .mtime_ns = 1, .kind = kind};
    if (kind == PROFILE_FILE_DIRECTORY)
        identity.size = 0;
    profile_writer_add_file(writer, path, &identity);
}

/* Reads with nothing in memory; how many pages are there that should not be, or the reverse. */
static size_t read_and_compare(struct io_floor *floor, bool section[2][PAGES])
{
    unsigned char pages[PAGES];
    size_t wrong = 0;
    for (int file = 0; file < 2; file++) {
        int fd = open(names[file], O_RDONLY);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    io_floor_read(floor);
    for (int file = 0; file < 2; file++) {
        resident(file, pages);
        for (int i = 0; i < PAGES; i++) {
            if (pages[i] == section[file][i])
                continue;
            wrong++;
            printf("%s, page %d: %s\n", names[file], i, pages[i] ? "read" : "not read");
        }
    }
    return wrong;
}

Test(io_floor, reads_what_the_section_names_and_nothing_else, .init = create, .fini = delete)
{
    unsigned char pages[PAGES];
    if (resident(0, pages) != 0)
        cr_skip_test("files cannot be evicted here (tmpfs?)");
    struct profile_writer *writer = profile_writer_new(1000, 0);
    add_file(writer, names[0], PROFILE_FILE_REGULAR);
    add_file(writer, names[1], PROFILE_FILE_REGULAR);
    add_file(writer, "floor-missing", PROFILE_FILE_REGULAR);
    add_file(writer, ".", PROFILE_FILE_DIRECTORY);
    profile_writer_add_executable(writer, "/bin/one");
    want(writer, 1, PAGES - 1, 1); /* cut, and all alone */
    want(writer, 1, 0, 1);         /* where readahead would begin */
    want(writer, 0, 40, 50);       /* more than one read */
    want(writer, 0, 5, 1);
    want(writer, 2, 0, 3);
    want(writer, 0, 38, 4); /* overlaps */
    want(writer, 0, 60, 5); /* lies within */
    want(writer, 0, 7, 1);  /* a gap of one page */
    want(writer, 3, 0, 0);
    bool section[2][PAGES];
    memcpy(section, wanted, sizeof section);
    profile_writer_add_executable(writer, "/bin/two");
    want(writer, 1, 20, 5);
    uint8_t *bytes;
    size_t size;
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    struct profile profile;
    cr_assert_eq(profile_parse(bytes, size, &profile), 0);

    struct io_floor *floor = io_floor_new(&profile, profile_find(&profile, "/bin/one"));
    for (int again = 0; again < 2; again++)
        cr_expect_eq(read_and_compare(floor, section), 0);
    io_floor_free(floor);
    free(bytes);
}

Test(io_floor, an_empty_section_takes_no_reads)
{
    struct profile_writer *writer = profile_writer_new(1000, 0);
    profile_writer_add_executable(writer, "/bin/one");
    uint8_t *bytes;
    size_t size;
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    struct profile profile;
    cr_assert_eq(profile_parse(bytes, size, &profile), 0);
    struct io_floor *floor = io_floor_new(&profile, profile_find(&profile, "/bin/one"));
    io_floor_read(floor);
    io_floor_free(floor);
    free(bytes);
}
