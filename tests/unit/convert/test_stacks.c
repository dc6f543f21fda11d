/*
 * test_stacks.c: call stacks from a trace into the section behind a profile, and back.
 */
#include "convert/stacks.h"

#include "../../support/new_trace.h"
#include "coldboost.h"
#include "convert/symbols.h"
#include "profile/profile_write.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { BYTES = 4 << 20 };

static struct trace_header *trace;
static struct recorded_file files[] = {{.path = (char[]){"/a"}}, {.path = (char[]){"/b"}}};
static const struct recording recording = {.files = files, .file_count = 2};
static uint32_t process, recorder, a, b, unknown;

static uint32_t add_file(const char *path, uint64_t inode)
{
    return trace_add_file(trace, 1, inode, path, (uint32_t)strlen(path));
}

static void set_up(void)
{
    trace = new_trace(BYTES);
    process = trace_add_process(trace, 1, "/bin/one", 8);
    recorder = add_file("/somewhere/libcoldboost-record.so", 1);
    a = add_file("/a", 2);
    b = add_file("/b", 3);
    unknown = add_file("/c", 4);
}

static void tear_down(void)
{
    munmap(trace, BYTES);
}

TestSuite(stacks, .init = set_up, .fini = tear_down);

static void add(uint32_t file, const struct trace_frame *frames, uint32_t count)
{
    trace_add_stack(trace, process, file, frames, count);
}

/* The section with a profile around it, as a file has them. */
static struct stacks read_back(void)
{
    size_t size;
    uint8_t *extra = stacks_make(trace, &recording, &size);
    static const struct profile_header header = {.file_count = 2};
    const struct profile profile = {.header = &header};
    struct stacks stacks;
    cr_assert_eq(stacks_parse(&profile, extra, size, &stacks), 0);
    free(extra);
    return stacks;
}

static const char *object_of(const struct stacks *stacks, uint32_t frame)
{
    return stacks->strings + stacks->frames[frame].object;
}

Test(stacks, come_back_without_the_recorder)
{
    add(b,
        (struct trace_frame[]){
            {recorder, 0, 1}, {recorder, 0, 2}, {a, 0, 5}, {0, 0, 9}, {recorder, 0, 3}},
        5);
    add(a, (struct trace_frame[]){{b, 0, 7}}, 1);
    struct stacks stacks = read_back();
    cr_assert_eq(stacks.stack_count, 2);
    cr_expect_eq(stacks.all[0].file, 1);
    cr_expect_str_eq(stacks.strings + stacks.all[0].executable, "/bin/one");
    cr_assert_eq(stacks.all[0].frame_count, 3);
    cr_expect_str_eq(object_of(&stacks, 0), "/a");
    cr_expect_eq(stacks.frames[0].address, 5);
    cr_expect_str_eq(object_of(&stacks, 1), ""); /* made at run time: its address says nothing */
    cr_expect_eq(stacks.frames[1].address, 0);
    cr_expect_str_eq(object_of(&stacks, 2), "/somewhere/libcoldboost-record.so");
    cr_expect_eq(stacks.all[1].file, 0);
    cr_expect_eq(stacks.all[1].first_frame, 3);
    cr_expect_str_eq(object_of(&stacks, 3), "/b");
    free(stacks.content);
}

Test(stacks, are_cut_at_their_depth)
{
    struct trace_frame frames[TRACE_STACK_DEPTH + 8];
    for (uint32_t i = 0; i < TRACE_STACK_DEPTH + 8; i++)
        frames[i] = (struct trace_frame){i < 3 ? recorder : a, 0, i};
    add(a, frames, TRACE_STACK_DEPTH + 8);
    struct stacks stacks = read_back();
    cr_assert_eq(stacks.stack_count, 1);
    cr_assert_eq(stacks.all[0].frame_count, TRACE_STACK_DEPTH);
    cr_expect_eq(stacks.frames[0].address, 3);
    free(stacks.content);
}

Test(stacks, of_files_that_are_left_out_are_left_out)
{
    add(unknown, (struct trace_frame[]){{a, 0, 5}}, 1);
    add(a, (struct trace_frame[]){{recorder, 0, 5}}, 1);
    struct stacks stacks = read_back();
    cr_expect_eq(stacks.stack_count, 0);
    size_t size = 1;
    cr_expect_null(stacks_make(trace, &recording, &size));
    cr_expect_eq(size, 0);
}

Test(stacks, survive_records_that_were_made_up)
{
    static const uint32_t wild[] = {0, 1, TRACE_FIRST_UNIT, UINT32_MAX, BYTES / TRACE_UNIT};
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        trace_add_stack(trace, wild[i], a, (struct trace_frame[]){{a, 0, 1}}, 1);
        add(wild[i], (struct trace_frame[]){{a, 0, 1}}, 1);
        add(b, (struct trace_frame[]){{wild[i], 0, UINT64_MAX}}, 1);
        uint32_t name = (uint32_t)trace->next_unit;
        add(a, (struct trace_frame[]){{a, 0, 1}}, 1);
        struct trace_stack *stack = (void *)((uint8_t *)trace + (size_t)name * TRACE_UNIT);
        stack->frame_count = wild[i] > 1 ? wild[i] : 2; /* there is one */
    }
    struct stacks stacks = read_back();
    for (uint32_t i = 0; i < stacks.stack_count; i++)
        if (stacks.all[i].file == 0) /* only process TRACE_FIRST_UNIT is a real one */
            cr_expect_eq(stacks.all[i].frame_count, 1);
    free(stacks.content);
}

Test(stacks, are_claimed_once)
{
    cr_expect(trace_claim_stack(trace, a));
    cr_expect_not(trace_claim_stack(trace, a));
    trace->finished = 1;
    cr_expect_not(trace_claim_stack(trace, b));
}

Test(stacks, name_functions)
{
    char self[PATH_MAX] = "";
    cr_assert_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    /* Where the program lies: a header knows its own address in the file's terms. */
    const ElfW(Phdr) *headers = (const void *)getauxval(AT_PHDR);
    uintptr_t base = 0, code = (uintptr_t)stacks_make + 1;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        if (headers[i].p_type == PT_PHDR)
            base = (uintptr_t)headers - headers[i].p_vaddr;
    uint64_t offset = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        if (headers[i].p_type == PT_LOAD && code - base - headers[i].p_vaddr < headers[i].p_memsz)
            offset = code - base - headers[i].p_vaddr + headers[i].p_offset;
    uint32_t own = add_file(self, 77);
    add(a, (struct trace_frame[]){{own, 0, offset}, {own, 0, 0}, {own, 0, UINT64_MAX}, {b, 0, 3}},
        4);
    struct stacks stacks = read_back();
    cr_assert_eq(stacks.stack_count, 1);
    cr_expect_str_eq(stacks.strings + stacks.frames[0].function, "stacks_make");
    cr_expect_eq(stacks.frames[0].address, code - base);
    for (uint32_t i = 1; i < 4; i++)
        cr_expect_str_eq(stacks.strings + stacks.frames[i].function, "");
    free(stacks.content);
}

Test(stacks, know_damage)
{
    add(b, (struct trace_frame[]){{a, 0, 5}, {0, 0, 9}}, 2);
    add(a, (struct trace_frame[]){{b, 0, 7}}, 1);
    size_t size;
    uint8_t *extra = stacks_make(trace, &recording, &size);
    static const struct profile_header header = {.file_count = 2};
    const struct profile profile = {.header = &header};
    struct stacks stacks;
    for (size_t cut = 1; cut < size; cut++) {
        uint8_t *exact = malloc(cut); /* valgrind and ASan see what is read beyond it */
        memcpy(exact, extra, cut);
        cr_expect_eq(stacks_parse(&profile, exact, cut, &stacks), -EMSGSIZE, "cut at %zu", cut);
        free(exact);
    }
    size_t accepted = 0, refused = 0;
    struct extra_section section;
    for (size_t at = sizeof section; at < size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            extra[at] ^= (uint8_t)(1u << bit);
            cr_expect_eq(stacks_parse(&profile, extra, size, &stacks), -EBADMSG, "at %zu", at);
            memcpy(&section, extra, sizeof section);
            uint32_t before = section.crc32;
            section.crc32 = hardware_crc32(extra + sizeof section, section.bytes);
            memcpy(extra, &section, sizeof section);
            int error = stacks_parse(&profile, extra, size, &stacks);
            cr_expect(error == 0 || error == -EINVAL);
            error ? refused++ : accepted++;
            for (uint32_t i = 0; i < stacks.stack_count; i++) {
                cr_expect_lt(stacks.all[i].file, 2);
                for (uint32_t f = 0; f < stacks.all[i].frame_count; f++) {
                    const struct stacks_frame *frame =
                        &stacks.frames[stacks.all[i].first_frame + f];
                    cr_expect_leq(strlen(stacks.strings + frame->object), size);
                    cr_expect_leq(strlen(stacks.strings + frame->function), size);
                }
            }
            free(stacks.content);
            section.crc32 = before;
            memcpy(extra, &section, sizeof section);
            extra[at] ^= (uint8_t)(1u << bit);
        }
    }
    cr_expect_gt(accepted, 100);
    cr_expect_gt(refused, 100);
    free(extra);
}

Test(stacks, stand_among_sections_of_another_kind)
{
    add(a, (struct trace_frame[]){{b, 0, 7}}, 1);
    size_t size;
    uint8_t *extra = stacks_make(trace, &recording, &size);
    struct extra_section other = {.tag = "CBOTHERS", .bytes = 3};
    size_t before = sizeof other + 3;
    uint8_t *all = malloc(before + size + before);
    memcpy(all, &other, sizeof other);
    memcpy(all + sizeof other, "odd", 3);
    memcpy(all + before, extra, size);
    memcpy(all + before + size, all, before);
    static const struct profile_header header = {.file_count = 2};
    const struct profile profile = {.header = &header};
    struct stacks stacks;
    cr_assert_eq(stacks_parse(&profile, all, before + size + before, &stacks), 0);
    cr_expect_eq(stacks.stack_count, 1);
    free(stacks.content);
    cr_assert_eq(stacks_parse(&profile, all, before, &stacks), 0);
    cr_expect_eq(stacks.stack_count, 0);
    free(all);
    free(extra);
}

Test(stacks, stand_behind_the_profile_that_replays_read)
{
    struct profile_writer *writer = profile_writer_new(1, 1);
    struct profile_file identity = {.size = 1};
    profile_writer_add_file(writer, "/a", &identity);
    profile_writer_add_extra(writer, (const uint8_t *)"behind", 6);
    uint8_t *bytes;
    size_t size;
    struct profile profile;
    cr_assert_eq(profile_writer_finish(writer, &bytes, &size), 0);
    cr_expect_eq(profile_parse(bytes, size, &profile), 0);
    cr_expect_eq(profile.header->size, size - 6);
    cr_expect_arr_eq(bytes + size - 6, "behind", 6);
    cr_expect_eq(profile_parse(bytes, size - 6, &profile), 0);
    bytes[size - 1] ^= 1; /* not covered by the profile's checksum */
    cr_expect_eq(profile_parse(bytes, size, &profile), 0);
    cr_expect_eq(profile_parse(bytes, size - 1, &profile), -EMSGSIZE);
    cr_expect_eq(profile_parse(bytes, size - 7, &profile), -EMSGSIZE);
    free(bytes);
}
