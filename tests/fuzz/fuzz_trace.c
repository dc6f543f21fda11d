/*
 * fuzz_trace.c: a trace that a recorded program has written over: what the recorder in another
 * program looks up in it, and what coldboost record makes of it.
 *
 * Input: header (next unit, bytes, 8 each; 0: as they were), how many slots of the table are
 * set (1), those (2 for the place, 4 for the name), and the records.
 */
#include "fuzz.h"

#include "base/sys.h"
#include "convert/stacks.h"
#include "convert/symbols.h"
#include "convert/trace_reader.h"
#include "profile/identity.h"
#include "profile/profile_write.h"

static int pretended_fstatat(int directory, const char *path, struct stat *status)
{
    MUST(directory == AT_FDCWD);
    memset(status, 0, sizeof *status);
    status->st_mode = S_IFREG;
    return hash_text(path) % 2 ? 0 : -ENOENT;
}

#define sys_fstatat pretended_fstatat
#include "trace/writer.c"

/* identity.c: as large a file as its path is lucky. */
bool identify_file(const char *path, uint64_t device, uint64_t inode, const struct timespec *since,
                   struct profile_file *out)
{
    (void)device, (void)since;
    uint32_t luck = hash_text(path);
    *out = (struct profile_file){.size = luck % 100000 + 1, .mtime_ns = 1};
    if (luck % 8 == 0) /* sparse */
        out->size = UINT64_C(1) << (luck >> 8) % 29;
    if (inode % 16 == 15)
        *out = (struct profile_file){.kind = PROFILE_FILE_DIRECTORY};
    return inode % 16 != 14;
}

bool identify_path(const char *path, const struct timespec *since, struct profile_file *out)
{
    (void)since;
    *out = (struct profile_file){.kind = PROFILE_FILE_PATH};
    return hash_text(path) % 16 != 0;
}

/* symbols.c */
struct symbols *symbols_new(void)
{
    return NULL;
}

void symbols_free(struct symbols *symbols)
{
    (void)symbols;
}

const char *symbols_find(struct symbols *symbols, const char *path, uint64_t offset,
                         uint64_t *address)
{
    (void)symbols;
    *address = offset + 1;
    return hash_text(path) % 2 ? path : "";
}

static struct trace_header *make_trace(struct input *input)
{
    uint64_t next_unit = take_number(input, 8), bytes = take_number(input, 8);
    uint32_t slots = (uint32_t)take_number(input, 1);
    struct trace_header header = {.magic = TRACE_MAGIC};
    const uint8_t *table = input->at;
    size_t table_bytes = (size_t)slots * 6 < input->left ? (size_t)slots * 6 : input->left;
    struct input records = {table + table_bytes, input->left - table_bytes};
    input->left = table_bytes;
    size_t units = TRACE_FIRST_UNIT + (records.left + TRACE_UNIT - 1) / TRACE_UNIT + 64;
    struct trace_header *trace = calloc(units, TRACE_UNIT);
    MUST(trace);
    header.bytes = bytes ? bytes : units * TRACE_UNIT;
    header.next_unit = next_unit ? next_unit : units - 64; /* some room for what is added */
    memcpy(trace, &header, offsetof(struct trace_header, pids));
    for (uint32_t i = 0; i < slots; i++) {
        uint64_t slot = take_number(input, 2);
        trace->slots[slot] = (uint32_t)take_number(input, 4);
    }
    mapped_units = units;
    take(&records, (uint8_t *)trace + (size_t)TRACE_FIRST_UNIT * TRACE_UNIT, records.left);
    return trace;
}

/* As the recorder in a program that was well-behaved itself. */
static void add(struct trace_header *trace)
{
    uint32_t process = trace_add_process(trace, 1, "/bin/true", 9);
    for (uint64_t inode = 0; inode < 4; inode++) {
        uint32_t file = trace_find_file(trace, 1, inode);
        if (!file)
            file = trace_add_file(trace, 1, inode, "/usr/lib/libc.so.6", 18);
        if (!file)
            continue;
        MUST(trace_file_at(trace, file)->mode != 1);
        struct trace_range range = {.process = process, .file = file, .page_count = 3};
        trace_add_range(trace, &range);
        struct trace_frame frames[2] = {{.file = file, .offset = 4096}};
        if (trace_claim_stack(trace, file))
            trace_add_stack(trace, process, file, frames, 2);
    }
    trace_path(trace, "/etc/localtime", 14);
}

static void write_profile(const struct trace_header *trace, const struct recording *recording)
{
    struct profile_writer *writer = profile_writer_new(1000, 1);
    for (size_t i = 0; i < recording->file_count; i++)
        profile_writer_add_file(writer, recording->files[i].path, &recording->files[i].identity);
    for (size_t e = 0; e < recording->executable_count; e++) {
        profile_writer_add_executable(writer, recording->executables[e].path);
        for (size_t i = 0; i < recording->executables[e].range_count; i++)
            profile_writer_add_range(writer, &recording->executables[e].ranges[i]);
    }
    size_t stacks_size, size;
    uint8_t *stacks_bytes = stacks_make(trace, recording, &stacks_size), *bytes;
    if (stacks_size)
        profile_writer_add_extra(writer, stacks_bytes, stacks_size);
    int error = profile_writer_finish(writer, &bytes, &size);
    MUST(error == 0 || error == -EFBIG);
    struct profile profile;
    struct stacks stacks;
    if (!error) {
        MUST(profile_parse(bytes, size, &profile) == 0);
        size_t behind = (size_t)profile.header->size;
        MUST(stacks_parse(&profile, bytes + behind, size - behind, &stacks) == 0);
        MUST((stacks_size != 0) == (stacks.stack_count != 0));
        free(stacks.content);
    }
    free(bytes);
    free(stacks_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct trace_header *trace = make_trace(&input);
    add(trace);
    struct recording recording;
    const char *const leave[] = {"/usr/lib/libleft-out.so", NULL};
    struct trace_options options = {1000, {.tv_sec = 1}, leave, size % 2};
    trace_read(trace, &options, &recording);
    write_profile(trace, &recording);
    recording_free(&recording);
    free(trace);
    return 0;
}
