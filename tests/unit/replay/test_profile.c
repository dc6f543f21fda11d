/*
 * test_profile.c: what profile_write.c makes is what profile.c reads, and damage is found.
 */
#include "profile/profile_write.h"
#include "replay/profile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct profile_file first_file = {
    .size = 10 * PROFILE_PAGE_BYTES + 1,
    .mtime_ns = -5,
    .build_id_offset = 568,
    .build_id_bytes = 3,
    .build_id = {1, 2, 3},
};
static const struct profile_file folder = {.size = 4096, .kind = PROFILE_FILE_DIRECTORY};

static const struct profile_range ranges[] = {
    {.file = 0, .first_page = 0, .page_count = 11, .epoch = 0},
    {.file = 1, .epoch = 1},
    {.file = 0, .first_page = 3, .page_count = 2, .epoch = 7},
};

static struct profile_writer *begin(void)
{
    struct profile_writer *writer = profile_writer_new(5000, 1234567890);
    cr_assert_eq(profile_writer_add_file(writer, "/usr/lib/libfirst.so", &first_file), 0);
    cr_assert_eq(profile_writer_add_file(writer, "/usr/lib", &folder), 1);
    return writer;
}

static uint8_t *make(size_t *size)
{
    struct profile_writer *writer = begin();
    profile_writer_add_executable(writer, "/usr/bin/one");
    profile_writer_add_range(writer, &ranges[0]);
    profile_writer_add_range(writer, &ranges[1]);
    profile_writer_add_executable(writer, "/usr/bin/two");
    profile_writer_add_range(writer, &ranges[2]);
    uint8_t *bytes;
    cr_assert_eq(profile_writer_finish(writer, &bytes, size), 0);
    return bytes;
}

Test(profile, comes_back_as_it_was_written)
{
    size_t size;
    uint8_t *bytes = make(&size);
    struct profile profile;
    cr_assert_eq(profile_parse(bytes, size, &profile), 0);
    cr_expect_eq(profile.header->epoch_us, 5000);
    cr_expect_eq(profile.header->recorded_s, 1234567890);
    cr_expect_eq(profile.header->executable_count, 2);
    cr_expect_eq(profile.header->file_count, 2);
    cr_expect_eq(profile.header->range_count, 3);
    cr_expect_arr_eq(profile.ranges, ranges, sizeof ranges);

    cr_expect_str_eq(profile.strings + profile.files[0].path, "/usr/lib/libfirst.so");
    cr_expect_str_eq(profile.strings + profile.files[1].path, "/usr/lib");
    struct profile_file file = profile.files[0];
    file.path = 0;
    cr_expect_arr_eq(&file, &first_file, sizeof file);

    const struct profile_executable *two = profile_find(&profile, "/usr/bin/two");
    cr_assert_not_null(two);
    cr_expect_eq(two->first_range, 2);
    cr_expect_eq(two->range_count, 1);
    cr_expect_eq(profile_find(&profile, "/usr/bin/one")->range_count, 2);
    cr_expect_null(profile_find(&profile, "/usr/bin/three"));
    cr_expect(profile_peek(bytes, size, "/usr/bin/two"));
    cr_expect_not(profile_peek(bytes, size, "/usr/bin/three"));
    cr_expect(profile_peek_others(bytes, size, "/usr/bin/one"));
    cr_expect(profile_peek_others(bytes, size, "/usr/bin/two"));
    cr_expect(profile_peek_others(bytes, 64 + 32, "/usr/bin/one"), "what cannot be seen");
    free(bytes);
}

Test(profile, knows_whether_it_names_others)
{
    struct profile_writer *writer = begin();
    profile_writer_add_executable(writer, "/usr/bin/one");
    profile_writer_add_range(writer, &ranges[0]);
    uint8_t *bytes;
    size_t size;
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    cr_expect_not(profile_peek_others(bytes, size, "/usr/bin/one"));
    cr_expect(profile_peek_others(bytes, size, "/usr/bin/two"));
    bytes[0] ^= 1;
    cr_expect_eq(profile_check_header(bytes, size), -ENOEXEC);
    free(bytes);
}

Test(profile, every_changed_byte_is_noticed)
{
    size_t size;
    uint8_t *bytes = make(&size);
    struct profile profile;
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x10;
        cr_expect_lt(profile_parse(bytes, size, &profile), 0, "byte %zu of %zu", i, size);
        bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < size; cut++)
        cr_expect_lt(profile_parse(bytes, cut, &profile), 0, "cut to %zu of %zu", cut, size);
    cr_expect_eq(profile_parse(bytes, size, &profile), 0);
    free(bytes);
}

static int finish_with(const struct profile_range *range)
{
    struct profile_writer *writer = begin();
    profile_writer_add_executable(writer, "/usr/bin/one");
    profile_writer_add_range(writer, range);
    uint8_t *bytes = (uint8_t *)1;
    size_t size;
    int error = profile_writer_finish(writer, &bytes, &size);
    cr_expect_eq(bytes == NULL, error != 0);
    free(bytes);
    return error;
}

Test(profile, writer_hands_out_nothing_that_the_reader_refuses)
{
    cr_expect_eq(finish_with(&(struct profile_range){.first_page = 10, .page_count = 1}), 0);
    cr_expect_eq(finish_with(&(struct profile_range){.first_page = 10, .page_count = 2}), -EINVAL);
    cr_expect_eq(finish_with(&(struct profile_range){.first_page = 99, .page_count = 0}), 0);
    cr_expect_eq(finish_with(&(struct profile_range){.file = 1, .page_count = 1}), -EINVAL);
    cr_expect_eq(finish_with(&(struct profile_range){.file = 2, .page_count = 1}), -EINVAL);
}

Test(profile, too_large_is_an_error)
{
    struct profile_writer *writer = begin();
    profile_writer_add_executable(writer, "/usr/bin/one");
    for (size_t i = 0; i <= PROFILE_MAX_BYTES / sizeof ranges[0]; i++)
        profile_writer_add_range(writer, &ranges[0]);
    uint8_t *bytes;
    size_t size;
    cr_expect_eq(profile_writer_finish(writer, &bytes, &size), -EFBIG);
    cr_expect_null(bytes);
}

Test(profile, tells_what_has_become_of_a_file)
{
    const struct profile_file recorded = {.size = 5, .mtime_ns = 5000000007};
    struct profile_file now = recorded, built = recorded, other = recorded;
    cr_expect_eq(profile_file_fate(&recorded, &now), FILE_SAME);
    now.mtime_ns++;
    cr_expect_eq(profile_file_fate(&recorded, &now), FILE_CHANGED);
    now.mtime_ns = 5000000000;
    cr_expect_eq(profile_file_fate(&recorded, &now), FILE_SAME, "an image keeps whole seconds");
    now.mtime_ns = 4000000000;
    cr_expect_eq(profile_file_fate(&recorded, &now), FILE_CHANGED);
    cr_expect_eq(profile_file_fate(&(struct profile_file){.size = 5}, &now), FILE_SAME,
                 "no time is known");
    built.build_id_bytes = now.build_id_bytes = 2;
    built.build_id[1] = now.build_id[1] = 9;
    cr_expect_eq(profile_file_fate(&built, &now), FILE_SAME, "its time says nothing");
    now.build_id[1]++;
    cr_expect_eq(profile_file_fate(&built, &now), FILE_CHANGED);
    now.build_id[1]--;
    now.build_id_bytes = 1;
    cr_expect_eq(profile_file_fate(&built, &now), FILE_CHANGED, "it could not be read whole");
    now.size++;
    cr_expect_eq(profile_file_fate(&built, &now), FILE_STALE);
    other.kind = PROFILE_FILE_DIRECTORY;
    cr_expect_eq(profile_file_fate(&recorded, &other), FILE_STALE, "of another kind");
    now = other;
    now.size++;
    cr_expect_eq(profile_file_fate(&other, &now), FILE_SAME, "a folder has any size");
}
