/*
 * test_merge.c: what the profiles of several runs become: ranks, shares, files that have changed.
 */
#include "profile/merge.h"
#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8, EPOCH_US = 1000, PAGES = 1000 };

struct run {
    uint8_t *bytes;
    size_t size;
};

static struct profile_file files[26]; /* as the next run will know /a, /b, … */
static uint64_t recorded_s;
static struct merge_source sources[MOST];
static struct merge_totals totals;

static void set_up(void)
{
    recorded_s = 100;
    for (size_t i = 0; i < 26; i++)
        files[i] = (struct profile_file){.size = PAGES * PROFILE_PAGE_BYTES, .mtime_ns = 7};
}

TestSuite(merge, .init = set_up);

/* "EXECUTABLE FILE:FIRST+COUNT@EPOCH … | EXECUTABLE …", with 0+0 for a look-up; all files a to e
 * are in the table. */
static struct run make(const char *text)
{
    struct profile_writer *writer = profile_writer_new(EPOCH_US, recorded_s);
    for (char name[] = "/a"; name[1] <= 'e'; name[1]++)
        profile_writer_add_file(writer, name, &files[name[1] - 'a']);
    char *copy = strdup(text), *rest = copy;
    bool begins = true;
    for (char *word; (word = strsep(&rest, " "));) {
        struct profile_range range;
        char file;
        if (*word == '|') {
            begins = true;
        } else if (begins) {
            profile_writer_add_executable(writer, word);
            begins = false;
        } else {
            cr_assert_eq(sscanf(word, "%c:%u+%u@%u", &file, &range.first_page, &range.page_count,
                                &range.epoch),
                         4);
            range.file = (uint32_t)(file - 'a');
            profile_writer_add_range(writer, &range);
        }
    }
    free(copy);
    struct run run;
    cr_assert_eq(profile_writer_finish(writer, &run.bytes, &run.size), 0);
    return run;
}

static struct run merge(const struct run *runs, size_t count, unsigned min_share)
{
    struct run out;
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(profile_parse(runs[i].bytes, runs[i].size, &sources[i].profile), 0);
    cr_assert_eq(merge_profiles(sources, count, min_share, &out.bytes, &out.size, &totals), 0);
    return out;
}

/* The result in the form that make() takes. */
static char *describe(const struct run *run)
{
    static char text[8192];
    size_t at = 0;
    struct profile profile;
    cr_assert_eq(profile_parse(run->bytes, run->size, &profile), 0);
    text[0] = '\0';
    for (uint32_t e = 0; e < profile.header->executable_count; e++) {
        const struct profile_executable *executable = &profile.executables[e];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", e ? " | " : "",
                               profile.strings + executable->path);
        for (uint32_t r = 0; r < executable->range_count; r++) {
            const struct profile_range *range = &profile.ranges[executable->first_range + r];
            at += (size_t)snprintf(text + at, sizeof text - at, " %s:%u+%u@%u",
                                   profile.strings + profile.files[range->file].path + 1,
                                   range->first_page, range->page_count, range->epoch);
        }
    }
    return text;
}

static void expect(const struct run *runs, size_t count, unsigned min_share, const char *expected)
{
    struct run out = merge(runs, count, min_share);
    cr_expect_str_eq(describe(&out), expected);
    /* In the other order, too. */
    struct run turned[MOST];
    for (size_t i = 0; i < count; i++)
        turned[i] = runs[count - 1 - i];
    struct run other = merge(turned, count, min_share);
    cr_expect_eq(out.size, other.size);
    cr_expect_arr_eq(out.bytes, other.bytes, out.size);
    free(other.bytes);
    free(out.bytes);
}

#define EXPECT(min_share, expected, ...)                                                           \
    do {                                                                                           \
        const struct run runs_[] = {__VA_ARGS__};                                                  \
        expect(runs_, sizeof runs_ / sizeof *runs_, min_share, expected);                          \
        for (size_t i_ = 0; i_ < sizeof runs_ / sizeof *runs_; i_++)                               \
            free(runs_[i_].bytes);                                                                 \
    } while (0)

Test(merge, one_profile_stays_as_it_is)
{
    const char *text = "/x a:5+3@0 b:0+1@0 a:0+2@1 c:9+1@4 | /y a:0+9@2";
    EXPECT(0, text, make(text));
    EXPECT(100, text, make(text));
    EXPECT(100, text, make(text), make(text));
    EXPECT(100, text, make(text), make(text), make(text));
}

Test(merge, orders_by_the_median_rank)
{
    /* Ranks of b: 0, 2, 2; of a: 1, 0, 0; of c: 2, 1, 1. Epochs 0, 1, 2 in every run. */
    EXPECT(0, "/x a:0+1@0 c:0+1@1 b:0+1@2", make("/x b:0+1@0 a:0+1@1 c:0+1@2"),
           make("/x a:0+1@0 c:0+1@1 b:0+1@2"), make("/x a:0+1@0 c:0+1@1 b:0+1@2"));
    /* The median of an even number is between two: b has 1 and 4, c 2 and 2, d 3 and 1. */
    EXPECT(0, "/x a:0+1@0 c:0+1@2 d:0+1@2 b:0+1@2 d:1+1@3",
           make("/x a:0+1@0 b:0+1@1 c:0+1@2 d:0+2@3"),
           make("/x a:0+1@0 d:0+1@1 c:0+1@2 d:1+1@3 b:0+1@4"));
}

Test(merge, a_rank_counts_pages_not_ranges)
{
    /* b: 0 and 20, c: 10 and 1, d: 2. By ranges it would be 0 and 3, 1 and 1, 2. */
    EXPECT(0, "/x a:0+1@0 d:0+18@0 c:0+1@0 b:0+10@1", make("/x b:0+10@0 c:0+1@1"),
           make("/x a:0+1@0 c:0+1@0 d:0+18@1 b:0+10@1"));
}

Test(merge, a_late_run_does_not_move_what_follows)
{
    /* a is first in both, but the second run was stuck before it. */
    EXPECT(0, "/x a:0+1@1 b:0+1@50", make("/x a:0+1@0 b:0+1@1"), make("/x a:0+1@100 b:0+1@100"),
           make("/x a:0+1@1 b:0+1@50"));
    /* b's median time is before a's: the epochs still only grow. */
    EXPECT(0, "/x a:0+1@1 b:0+1@9 c:0+1@10", make("/x a:0+1@9 b:0+1@9 c:0+1@10"),
           make("/x b:0+1@1 c:0+1@10"), make("/x a:0+1@9 b:0+1@1 c:0+1@10"));
}

Test(merge, keeps_a_file_together_within_an_epoch)
{
    EXPECT(0, "/x a:0+3@0 b:0+1@0 a:7+1@1", make("/x a:1+2@0 b:0+1@0 a:0+1@0 a:7+1@1"));
}

Test(merge, drops_what_too_few_name)
{
    const char *often = "/x a:0+4@0 b:0+2@1", *rarely = "/x a:0+4@0 c:0+5@1";
    EXPECT(0, "/x a:0+4@0 b:0+2@1 c:0+5@1", make(often), make(often), make(often), make(rarely));
    EXPECT(25, "/x a:0+4@0 b:0+2@1 c:0+5@1", make(often), make(often), make(often), make(rarely));
    EXPECT(26, "/x a:0+4@0 b:0+2@1", make(often), make(often), make(often), make(rarely));
    cr_expect_eq(totals.dropped, 5);
    cr_expect_eq(totals.pages, 6);
    cr_expect_eq(totals.files, 2);
    EXPECT(75, "/x a:0+4@0 b:0+2@1", make(often), make(often), make(often), make(rarely));
    EXPECT(76, "/x a:0+4@0", make(often), make(often), make(often), make(rarely));
}

Test(merge, counts_pages_not_ranges)
{
    EXPECT(0, "/x a:0+6@0", make("/x a:0+4@0"), make("/x a:2+4@0"));
    EXPECT(51, "/x a:2+2@0", make("/x a:0+4@0"), make("/x a:2+4@0"));
    EXPECT(51, "/x a:3+2@0 a:6+1@0", make("/x a:0+9@0"), make("/x a:6+1@0 a:3+2@0"));
}

Test(merge, a_child_of_one_run_has_its_own_share)
{
    EXPECT(100, "/x a:0+1@0 | /y b:0+1@0", make("/x a:0+1@0 | /y b:0+1@0"), make("/x a:0+1@0"));
}

Test(merge, an_executable_without_pages_is_left_out)
{
    EXPECT(100, "/x a:0+1@0", make("/x a:0+1@0 | /y b:0+1@0"), make("/x a:0+1@0 | /y c:0+1@0"));
}

Test(merge, orders_executables_by_their_median_place)
{
    EXPECT(0, "/y a:0+1@0 | /x a:0+1@0", make("/y a:0+1@0 | /x a:0+1@0"),
           make("/y a:0+1@0 | /x a:0+1@0"), make("/x a:0+1@0 | /y a:0+1@0"));
    EXPECT(0, "/x a:0+1@0 | /y a:0+1@0", make("/y a:0+1@0 | /x a:0+1@0"),
           make("/x a:0+1@0 | /y a:0+1@0"));
}

Test(merge, a_range_named_twice_counts_once)
{
    EXPECT(60, "/x b:0+1@0", make("/x a:0+2@0 a:0+2@0 a:1+2@1 b:0+1@1"), make("/x b:0+1@0"));
    EXPECT(0, "/x a:0+3@0 b:0+1@1", make("/x a:0+2@0 a:0+2@0 a:1+2@0 b:0+1@1"));
}

Test(merge, a_look_up_is_no_page)
{
    const char *text = "/x c:0+0@0 a:0+0@0 b:0+0@0 b:0+2@0 c:4+1@0 d:0+0@3 d:5+1@3 a:0+1@4";
    const char *ordered = "/x c:0+0@0 c:4+1@0 a:0+0@0 b:0+0@0 b:0+2@0 d:0+0@3 d:5+1@3 a:0+1@4";
    EXPECT(0, ordered, make(text));
    EXPECT(100, ordered, make(ordered), make(ordered));
    cr_expect_eq(totals.pages, 5);
    /* What one run reads and another only looks up. */
    EXPECT(0, "/x a:0+0@0 a:0+2@0", make("/x a:0+0@0"), make("/x a:0+0@0 a:0+2@0"));
    EXPECT(51, "/x a:0+0@0", make("/x a:0+0@0"), make("/x a:0+0@0 a:0+2@0"));
    cr_expect_eq(totals.dropped, 2);
    EXPECT(51, "/x b:0+1@0", make("/x a:0+0@0 b:0+1@0"), make("/x b:0+1@0"));
    cr_expect_eq(totals.dropped, 0);
    EXPECT(51, "/x a:0+1@0", make("/x a:0+0@0 a:0+1@0"), make("/x a:0+1@0"));
    /* Page 0 after the look-up, page 7 named as a look-up by nobody who records. */
    EXPECT(0, "/x a:0+0@0 a:0+1@0 b:0+0@1", make("/x a:0+0@0 a:0+1@0 b:7+0@1"));
}

Test(merge, a_rank_counts_look_ups)
{
    /* b and d: 0, c: 1, a: 2 and 1. */
    EXPECT(0, "/x b:0+0@0 d:0+1@0 c:0+0@0 a:0+1@0", make("/x b:0+0@0 c:0+0@0 a:0+1@0"),
           make("/x d:0+1@0 a:0+1@0"));
    EXPECT(0, "/x c:0+0@0 b:0+0@0 a:0+0@0", make("/x c:0+0@0 b:0+0@0 a:0+0@0"));
}

Test(merge, a_path_that_was_looked_up_says_nothing_about_the_file)
{
    const struct profile_file regular = files[0], path = {.kind = PROFILE_FILE_PATH};
    for (int newer = 0; newer < 2; newer++) {
        recorded_s = 100;
        files[0] = newer ? regular : path;
        struct run first = make(newer ? "/x a:0+0@0 a:1+2@0" : "/x a:0+0@0");
        recorded_s = 200;
        files[0] = newer ? path : regular;
        struct run second = make(newer ? "/x a:0+0@0" : "/x a:0+0@0 a:1+2@0");
        EXPECT(0, "/x a:0+0@0 a:1+2@0", first, second);
        cr_expect_eq(sources[0].stale_files + sources[1].stale_files, 0);
    }
    /* It has a vote: half of them read the file. */
    recorded_s = 200;
    files[0] = path;
    struct run looked = make("/x a:0+0@0");
    files[0] = regular;
    EXPECT(51, "/x a:0+0@0", looked, make("/x a:0+0@0 a:1+2@0"));
    /* Nor does it hide that another one is stale. */
    files[0] = path;
    struct run runs[3] = {make("/x a:0+0@0")};
    recorded_s = 100;
    files[0] = regular;
    runs[1] = make("/x a:0+0@0 a:1+1@0");
    recorded_s = 99;
    files[0].size++;
    runs[2] = make("/x a:0+0@0 a:2+1@0");
    struct run out = merge(runs, 3, 0);
    cr_expect_str_eq(describe(&out), "/x a:0+0@0 a:1+1@0");
    cr_expect_eq(sources[0].stale_files + sources[1].stale_files, 0);
    cr_expect_eq(sources[2].stale_files, 1);
    struct profile profile;
    cr_assert_eq(profile_parse(out.bytes, out.size, &profile), 0);
    cr_expect_eq(profile.files[0].kind, PROFILE_FILE_REGULAR);
    cr_expect_eq(profile.files[0].size, PAGES * PROFILE_PAGE_BYTES);
    free(out.bytes);
    for (size_t i = 0; i < 3; i++)
        free(runs[i].bytes);
}

Test(merge, a_directory_has_no_pages)
{
    files[1] = (struct profile_file){.size = 4096, .mtime_ns = 1, .kind = PROFILE_FILE_DIRECTORY};
    struct run first = make("/x b:0+0@0 a:0+1@1");
    files[1] = (struct profile_file){.size = 8192, .mtime_ns = 2, .kind = PROFILE_FILE_DIRECTORY};
    EXPECT(51, "/x b:0+0@0 a:0+1@1", first, make("/x b:0+0@0 a:0+1@1"));
    cr_expect_eq(sources[0].stale_files + sources[1].stale_files, 0);
}

Test(merge, the_newest_version_of_a_file_wins)
{
    struct run old = make("/x a:0+1@0 b:0+1@1"), older = make("/x a:1+1@0 b:0+1@1");
    recorded_s = 200;
    files[0].size -= PROFILE_PAGE_BYTES;
    struct run new = make("/x a:2+1@0 b:0+1@1");
    /* Of a new file only new profiles can tell: a third of all, and yet all of those. */
    EXPECT(100, "/x a:2+1@0 b:0+1@1", new, old, older);
    const struct run runs[] = {make("/x a:0+1@0"), make("/x c:0+1@0")};
    struct run out = merge(runs, 2, 0);
    cr_expect_eq(sources[0].stale_files, 0);
    free(out.bytes);
}

Test(merge, a_stale_file_that_is_named_twice_has_one_vote)
{
    struct profile_writer *writer = profile_writer_new(EPOCH_US, 1);
    struct profile_file other = {.size = 1, .mtime_ns = 1};
    profile_writer_add_file(writer, "/a", &other);
    profile_writer_add_file(writer, "/a", &other);
    profile_writer_add_executable(writer, "/x");
    struct run old;
    cr_assert_eq(profile_writer_finish(writer, &old.bytes, &old.size), 0);
    EXPECT(51, "/x b:0+1@0", old, make("/x a:0+1@0 b:0+1@0"), make("/x b:0+1@0"));
}

Test(merge, says_which_file_is_stale)
{
    struct run runs[2] = {make("/x a:0+1@0 b:0+1@0")};
    recorded_s = 99; /* the second profile is the older one */
    files[1].size++;
    files[1].mtime_ns = 900;
    runs[1] = make("/x a:0+1@0 b:1+1@0");
    struct run out = merge(runs, 2, 0);
    cr_expect_str_eq(describe(&out), "/x a:0+1@0 b:0+1@0");
    cr_expect_eq(sources[0].stale_files, 0);
    cr_expect_eq(sources[1].stale_files, 1);
    cr_expect_str_eq(sources[1].stale_path, "/b");
    struct profile profile;
    cr_assert_eq(profile_parse(out.bytes, out.size, &profile), 0);
    cr_expect_eq(profile.header->recorded_s, 100);
    cr_expect_eq(profile.files[1].mtime_ns, 7);
    free(out.bytes);
    free(runs[0].bytes);
    free(runs[1].bytes);
}

/* Two machines that unpacked one image have other times for each of its files. */
Test(merge, takes_files_of_one_size_for_the_same)
{
    files[0].build_id_bytes = 4;
    files[0].build_id[0] = 1;
    struct run first = make("/x a:0+1@0 b:0+1@1");
    recorded_s = 200;
    files[0].mtime_ns = 8;
    files[0].build_id[0] = 2;
    files[1].mtime_ns = 0;
    EXPECT(100, "/x a:0+1@0 b:0+1@1", first, make("/x a:0+1@0 b:0+1@1"));
    cr_expect_eq(sources[0].stale_files + sources[1].stale_files, 0);
}

Test(merge, epochs_of_other_lengths_are_converted)
{
    struct profile_writer *writer = profile_writer_new(5 * EPOCH_US, 1);
    profile_writer_add_file(writer, "/a", &files[0]);
    profile_writer_add_executable(writer, "/x");
    profile_writer_add_range(writer, &(struct profile_range){0, 0, 1, 2});
    struct run coarse;
    cr_assert_eq(profile_writer_finish(writer, &coarse.bytes, &coarse.size), 0);
    EXPECT(0, "/x a:0+1@3", coarse, make("/x a:0+1@20"));
}

Test(merge, survives_ranges_that_were_made_up, .timeout = 60)
{
    files[0].size = INT64_MAX;
    struct run wide = make("/x a:0+4294967295@0 a:4294967295+4294967295@1"),
               narrow = make("/x a:7+1@4294967295 a:4294967295+1@4294967295");
    struct run runs[] = {wide, narrow};
    struct run out = merge(runs, 2, 0);
    struct profile profile;
    cr_expect_eq(profile_parse(out.bytes, out.size, &profile), 0);
    cr_expect_str_eq(describe(&out),
                     "/x a:0+8@0 a:8+4294967287@2147483647 a:4294967295+1@2147483648");
    free(out.bytes);
    EXPECT(0, "/x a:0+4294967295@0 a:4294967295+1@0", make("/x a:0+4294967295@0 a:4294967295+1@0"));
    /* Quadratic work would take minutes. */
    enum { RANGES = 200000 };
    struct profile_writer *writer = profile_writer_new(1, 1);
    profile_writer_add_file(writer, "/a", &files[0]);
    profile_writer_add_executable(writer, "/x");
    for (uint32_t i = 0; i < RANGES; i++)
        profile_writer_add_range(writer, &(struct profile_range){0, i, 4000000000u - 2 * i, i});
    struct run nested;
    cr_assert_eq(profile_writer_finish(writer, &nested.bytes, &nested.size), 0);
    out = merge(&nested, 1, 0);
    cr_expect_eq(totals.pages, 4000000000u);
    free(out.bytes);
    free(nested.bytes);
    free(wide.bytes);
    free(narrow.bytes);
}

/* make(), of one start. */
static struct run make_of_one_start(const char *text)
{
    struct run run = make(text);
    struct profile profile;
    uint8_t *bytes;
    size_t size;
    cr_assert_eq(profile_parse(run.bytes, run.size, &profile), 0);
    struct profile_writer *writer = profile_writer_new(EPOCH_US, recorded_s);
    profile_writer_set_one_start(writer);
    profile_writer_add_file(writer, "/a", &files[0]);
    for (uint32_t i = 0; i < profile.header->executable_count; i++) {
        profile_writer_add_executable(writer, profile.strings + profile.executables[i].path);
        profile_writer_add_range(writer, &profile.ranges[i]);
    }
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    free(run.bytes);
    return (struct run){bytes, size};
}

static uint32_t merged_flags(struct run a, struct run b, unsigned min_share)
{
    struct run out = merge((struct run[]){a, b}, 2, min_share);
    return ((const struct profile_header *)(const void *)out.bytes)->flags;
}

Test(merge, runs_of_one_start_are_of_one_start)
{
    struct run one = make_of_one_start("/x a:1+1@0 | /y a:1+1@0"),
               same = make_of_one_start("/x a:2+1@0 | /z a:3+1@0"),
               other = make_of_one_start("/y a:1+1@0"), unknown = make("/x a:0+1@0");
    cr_expect_eq(merged_flags(one, same, 0), PROFILE_OF_ONE_START);
    cr_expect_eq(merged_flags(one, same, 50), PROFILE_OF_ONE_START);
    cr_expect_eq(merged_flags(one, same, 51), 0, "/y has a page that /x has lost");
    cr_expect_eq(merged_flags(one, other, 0), 0);
    cr_expect_eq(merged_flags(one, unknown, 0), 0);
    cr_expect_eq(merged_flags(unknown, one, 0), 0);
}

Test(merge, nothing_comes_of_nothing)
{
    struct profile_writer *writer = profile_writer_new(1, 1);
    struct run empty;
    cr_assert_eq(profile_writer_finish(writer, &empty.bytes, &empty.size), 0);
    EXPECT(50, "", empty);
}
