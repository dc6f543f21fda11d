/*
 * stacks.c: call stacks from the trace into a section behind the profile, and back. The trace was
 * written by programs that may have been killed: every record is checked before it is believed.
 */
#include "convert/stacks.h"

#include "cli/command.h"
#include "cli/table.h"
#include "coldboost.h"
#include "convert/symbols.h"
#include "convert/trace_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDER "/libcoldboost-record.so"

struct stack_string {
    char *text;
    uint32_t offset; /* in the string table */
};

struct maker {
    const char **paths; /* of the records that name a file or a process; by unit */
    size_t units;
    struct symbols *symbols;
    struct stack_string *known;
    size_t known_count;
    struct buffer stacks, frames, strings;
};

static uint32_t string(struct maker *maker, const char *text)
{
    size_t index, before = maker->known_count;
    struct stack_string *found = FIND_OR_ADD(maker->known, maker->known_count, text, &index);
    if (index == before) {
        found->offset = (uint32_t)maker->strings.size;
        buffer_append(&maker->strings, text, strlen(text) + 1);
    }
    return found->offset;
}

static const char *path_of(const struct maker *maker, uint32_t unit)
{
    return unit && unit < maker->units ? maker->paths[unit] : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void collect_paths(const struct trace_header *trace, struct maker *maker)
{
    const struct trace_file *file;
    const struct trace_process *process;
    maker->units = trace_end(trace);
    maker->paths = xmalloc(maker->units * sizeof *maker->paths);
    memset(maker->paths, 0, maker->units * sizeof *maker->paths);
    for (struct trace_cursor at = {0}; (file = trace_next(trace, TRACE_FILE, &at));)
        if (at.unit < maker->units)
            maker->paths[at.unit] = trace_whole_path(&at, file->path);
    for (struct trace_cursor at = {0}; (process = trace_next(trace, TRACE_PROCESS, &at));)
        if (at.unit < maker->units)
            maker->paths[at.unit] = trace_whole_path(&at, process->path);
}

static void add_frame(struct maker *maker, const struct trace_frame *from)
{
    const char *path = path_of(maker, from->file);
    struct stacks_frame frame = {.address = path ? from->offset : 0};
    const char *function = "";
    if (path)
        function = symbols_find(maker->symbols, path, from->offset, &frame.address);
    frame.object = string(maker, path ? path : "");
    frame.function = string(maker, function);
    buffer_append(&maker->frames, &frame, sizeof frame);
}

static void add_stack(struct maker *maker, const struct recording *recording,
                      const struct trace_stack *from, size_t units)
{
    const char *path = path_of(maker, from->file), *executable = path_of(maker, from->process);
    uint32_t file = path && executable ? recording_find(recording, path) : NOT_RECORDED;
    uint32_t i = 0, count = from->frame_count;
    if (file == NOT_RECORDED ||
        count > (units * TRACE_UNIT - offsetof(struct trace_stack, frames)) / sizeof *from->frames)
        return;
    for (const char *own; i < count; i++) { /* the recorder itself */
        own = path_of(maker, from->frames[i].file);
        if (!own || !ends_with(own, RECORDER))
            break;
    }
    struct stacks_stack stack = {
        .file = file,
        .executable = string(maker, executable),
        .first_frame = (uint32_t)(maker->frames.size / sizeof(struct stacks_frame)),
        .frame_count = count - i < TRACE_STACK_DEPTH ? count - i : TRACE_STACK_DEPTH,
    };
    for (uint32_t end = i + stack.frame_count; i < end; i++)
        add_frame(maker, &from->frames[i]);
    if (stack.frame_count)
        buffer_append(&maker->stacks, &stack, sizeof stack);
}

static uint8_t *assemble(const struct maker *maker, size_t *size)
{
    struct stacks_counts counts = {
        .stacks = (uint32_t)(maker->stacks.size / sizeof(struct stacks_stack)),
        .frames = (uint32_t)(maker->frames.size / sizeof(struct stacks_frame)),
        .string_bytes = (uint32_t)maker->strings.size,
    };
    struct extra_section section = {.tag = STACKS_TAG};
    struct buffer all = {0};
    buffer_append(&all, &section, sizeof section);
    buffer_append(&all, &counts, sizeof counts);
    buffer_append(&all, maker->stacks.bytes, maker->stacks.size);
    buffer_append(&all, maker->frames.bytes, maker->frames.size);
    buffer_append(&all, maker->strings.bytes, maker->strings.size);
    section.bytes = (uint32_t)(all.size - sizeof section);
    section.crc32 = hardware_crc32(all.bytes + sizeof section, section.bytes);
    memcpy(all.bytes, &section, sizeof section);
    *size = all.size;
    return all.bytes;
}

uint8_t *stacks_make(const struct trace_header *trace, const struct recording *recording,
                     size_t *size)
{
    struct maker maker = {.symbols = symbols_new()};
    const struct trace_stack *stack;
    collect_paths(trace, &maker);
    for (struct trace_cursor at = {0}; (stack = trace_next(trace, TRACE_STACK, &at));)
        add_stack(&maker, recording, stack, at.units);
    *size = 0;
    uint8_t *bytes = maker.stacks.size ? assemble(&maker, size) : NULL;
    symbols_free(maker.symbols);
    for (size_t i = 0; i < maker.known_count; i++)
        free(maker.known[i].text);
    free(maker.known);
    free(maker.paths);
    free(maker.stacks.bytes);
    free(maker.frames.bytes);
    free(maker.strings.bytes);
    return bytes;
}

/* ---- and back ---------------------------------------------------------------------------------
 */

static int parse_content(const struct profile *profile, uint8_t *content, size_t size,
                         struct stacks *out)
{
    const struct stacks_counts *counts = (const void *)content;
    if (size < sizeof *counts ||
        size != sizeof *counts + (uint64_t)counts->stacks * sizeof *out->all +
                    (uint64_t)counts->frames * sizeof *out->frames + counts->string_bytes)
        return -EINVAL;
    struct stacks stacks = {.stack_count = counts->stacks, .content = content};
    stacks.all = (const void *)(counts + 1);
    stacks.frames = (const void *)(stacks.all + counts->stacks);
    stacks.strings = (const void *)(stacks.frames + counts->frames);
    if (!counts->string_bytes || stacks.strings[counts->string_bytes - 1] != '\0')
        return -EINVAL;
    for (uint32_t i = 0; i < counts->stacks; i++) {
        const struct stacks_stack *stack = &stacks.all[i];
        if (stack->file >= profile->header->file_count ||
            stack->executable >= counts->string_bytes || stack->first_frame > counts->frames ||
            stack->frame_count > counts->frames - stack->first_frame)
            return -EINVAL;
    }
    for (uint32_t i = 0; i < counts->frames; i++)
        if (stacks.frames[i].object >= counts->string_bytes ||
            stacks.frames[i].function >= counts->string_bytes)
            return -EINVAL;
    *out = stacks;
    return 0;
}

int stacks_parse(const struct profile *profile, const uint8_t *extra, size_t size,
                 struct stacks *out)
{
    *out = (struct stacks){0};
    for (size_t at = 0; at < size;) {
        struct extra_section section;
        if (size - at < sizeof section)
            return -EMSGSIZE;
        memcpy(&section, extra + at, sizeof section);
        at += sizeof section;
        if (section.bytes > size - at)
            return -EMSGSIZE;
        if (memcmp(section.tag, STACKS_TAG, sizeof section.tag) == 0 && !out->content) {
            if (hardware_crc32(extra + at, section.bytes) != section.crc32)
                return -EBADMSG;
            uint8_t *content = xmalloc(section.bytes); /* aligned, as it is not where it stands */
            memcpy(content, extra + at, section.bytes);
            int error = parse_content(profile, content, section.bytes, out);
            if (error) {
                free(content);
                return error;
            }
        }
        at += section.bytes;
    }
    return 0;
}
