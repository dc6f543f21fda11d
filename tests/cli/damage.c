/*
 * damage.c: gives profile_parse() and profile_peek() every damaged form of a profile.
 *
 * Usage: damage PROFILE reject|survive
 *
 * Changes every byte to several values, and cuts at every length, with the bytes placed so that
 * the first one behind them is not mapped: a read too far is a crash. "reject": every form must be
 * refused. "survive": the checksum is made right again each time, so that what lies behind it is
 * reached; then any answer will do, but the view that is accepted must be in bounds.
 */
#include "coldboost.h"
#include "replay/profile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t *guarded_end; /* the first byte that is not mapped */
static unsigned long accepted, refused, failures;

static void set_up(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (bytes + 2 * page) / page * page;
    uint8_t *memory =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + room, page, PROT_NONE) != 0)
        exit(99);
    guarded_end = memory + room;
}

/* Everything that a reader of the view would follow. */
static bool is_in_bounds(const struct profile *profile, const uint8_t *begin, size_t size)
{
    const struct profile_header *header = profile->header;
    const char *end = (const char *)begin + size;
    if ((const char *)profile->strings + header->string_bytes != end)
        return false;
    for (uint32_t i = 0; i < header->executable_count; i++) {
        const struct profile_executable *executable = &profile->executables[i];
        if (profile->strings + executable->path >= end ||
            profile->strings[executable->path] != '/' ||
            (uint64_t)executable->first_range + executable->range_count > header->range_count)
            return false;
    }
    for (uint32_t i = 0; i < header->file_count; i++) {
        const struct profile_file *file = &profile->files[i];
        if (profile->strings + file->path >= end || profile->strings[file->path] != '/' ||
            file->build_id_bytes > PROFILE_BUILD_ID)
            return false;
    }
    for (uint32_t i = 0; i < header->range_count; i++) {
        const struct profile_range *range = &profile->ranges[i];
        if (range->file >= header->file_count)
            return false;
        const struct profile_file *file = &profile->files[range->file];
        uint64_t pages = (file->size + PROFILE_PAGE_BYTES - 1) / PROFILE_PAGE_BYTES;
        if ((uint64_t)range->first_page + range->page_count > pages &&
            file->kind == PROFILE_FILE_REGULAR)
            return false;
    }
    return true;
}

static void try_bytes(const uint8_t *bytes, size_t size, bool must_reject, bool reseal,
                      const char *what, size_t where)
{
    /* Aligned to 8, as the parser asks, and with its end as near to the guard as that allows. */
    uint8_t *copy = guarded_end - ((size + 7) & ~(size_t)7);
    memcpy(copy, bytes, size);
    const size_t start = offsetof(struct profile_header, crc32) + sizeof(uint32_t);
    if (reseal && size > start) {
        uint32_t crc = hardware_crc32(copy + start, size - start);
        memcpy(copy + offsetof(struct profile_header, crc32), &crc, sizeof crc);
    }
    struct profile profile;
    int error = profile_parse(copy, size, &profile);
    if (profile_check_header(copy, size) == 0)
        profile_peek(copy, size, "/usr/bin/program");
    error ? refused++ : accepted++;
    bool known = error == 0 || error == -ENOEXEC || error == -ENOTSUP || error == -EMSGSIZE ||
                 error == -EBADMSG || error == -EINVAL;
    if (!known || (must_reject && !error) || (!error && !is_in_bounds(&profile, copy, size))) {
        printf("%s %zu: profile_parse() gives %d\n", what, where, error);
        failures++;
    } else if (!error) {
        profile_find(&profile, "/usr/bin/program");
    }
}

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 16];
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        return 99;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    bool reject = strcmp(argv[2], "reject") == 0;
    set_up(size);
    try_bytes(bytes, size, false, false, "undamaged", 0);
    if (accepted != 1) {
        printf("the undamaged profile is refused\n");
        return 1;
    }
    for (size_t n = 0; n < size; n++)
        try_bytes(bytes, n, true, !reject, "cut at", n);
    static const uint8_t flips[] = {0x01, 0x02, 0x10, 0x40, 0x80, 0x7f, 0xff};
    for (size_t i = 0; i < size; i++) {
        uint8_t before = bytes[i];
        for (size_t f = 0; f < sizeof flips; f++) {
            bytes[i] = before ^ flips[f];
            try_bytes(bytes, size, reject, !reject, "changed at", i);
        }
        bytes[i] = before;
    }
    /* Whole fields at once: the values where sums and products wrap. */
    static const uint32_t values[] = {0,          1,          0x7fffffff, 0x80000000, 0xffffffff,
                                      0xfffffffe, 0x00100000, 0x10000000, 0x40000000, 0xfffff000};
    for (size_t i = 0; i + 4 <= size; i += 4) {
        uint32_t before;
        memcpy(&before, bytes + i, sizeof before);
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            memcpy(bytes + i, &values[v], sizeof *values);
            if (values[v] != before)
                try_bytes(bytes, size, reject, !reject, "field at", i);
        }
        memcpy(bytes + i, &before, sizeof before);
    }
    if (!reject && accepted < 10) {
        printf("only %lu forms were accepted: nothing was tested\n", accepted);
        return 1;
    }
    return failures != 0;
}
