/*
 * Two profiles that differ in nothing but a field of a file that version 1 does not use were united
 * differently when they were given in the other order: the field came along, of whichever was
 * first. Found by tests/fuzz/fuzz_merge.c.
 */
#include "coldboost.h"
#include "profile/merge.h"
#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* With a checksum that says the field was meant. */
static uint8_t *make(uint32_t unused, size_t *size, struct profile *out)
{
    const struct profile_file file = {.size = 3 * PROFILE_PAGE_BYTES, .mtime_ns = 1};
    const struct profile_range range = {.page_count = 3};
    struct profile_writer *writer = profile_writer_new(1000, 1);
    uint8_t *bytes;
    profile_writer_add_file(writer, "/lib/a.so", &file);
    profile_writer_add_executable(writer, "/bin/a");
    profile_writer_add_range(writer, &range);
    cr_assert_eq(profile_writer_finish(writer, &bytes, size), 0);
    cr_assert_eq(profile_parse(bytes, *size, out), 0);
    ((struct profile_file *)(uintptr_t)out->files)->reserved[1] = unused;
    struct profile_header *header = (void *)bytes;
    size_t covered = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    header->crc32 = hardware_crc32(bytes + covered, *size - covered);
    cr_assert_eq(profile_parse(bytes, *size, out), 0);
    return bytes;
}

static uint8_t *unite(const struct profile *a, const struct profile *b, size_t *size)
{
    struct merge_source sources[] = {{.profile = *a}, {.profile = *b}};
    struct merge_totals totals;
    uint8_t *bytes;
    cr_assert_eq(merge_profiles(sources, 2, 0, &bytes, size, &totals), 0);
    return bytes;
}

Test(merge_order, does_not_matter_for_unused_fields)
{
    struct profile a, b;
    size_t size, first_size, second_size;
    uint8_t *a_bytes = make(0, &size, &a), *b_bytes = make(7, &size, &b);
    uint8_t *first = unite(&a, &b, &first_size), *second = unite(&b, &a, &second_size);
    cr_assert_eq(first_size, second_size);
    cr_expect_arr_eq(first, second, first_size);
    free(a_bytes);
    free(b_bytes);
    free(first);
    free(second);
}
