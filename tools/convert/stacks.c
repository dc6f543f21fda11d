/*
 * stacks.c: call stacks from the trace into a section behind the profile, and back. The trace was
 * written by programs that may have been killed: every record is checked before it is believed.
 */
#include "convert/stacks.h"

#include "cli/command.h"
#include "coldboost.h"
#include "convert/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDER "/libcoldboost-record.so"

struct frame_table {
    uint8_t *bytes;
    size_t size, room;
};

struct maker {
    const char **paths; /* of the records that name a file or a process; by unit */
    size_t units;
    struct symbols *symbols;
    struct frame_table stacks, frames, strings;
};

static void append(struct frame_table *table, const void *entry, size_t bytes)
{
    if (table->size + bytes > table->room) {
        table->room = (table->size + bytes) * 2;
        table->bytes = xrealloc(table->bytes, table->room);
    }
    memcpy(table->bytes + table->size, entry, bytes);
    table->size += bytes;
}

/* A few hundred names at most: looking through them is quick enough. */
static uint32_t string(struct maker *maker, const char *text)
{
    size_t bytes = strlen(text) + 1, size = maker->strings.size;
    for (size_t at = 0; at < size; at += strlen((char *)maker->strings.bytes + at) + 1)
        if (strcmp((char *)maker->strings.bytes + at, text) == 0)
            return (uint32_t)at;
    append(&maker->strings, text, bytes);
    return (uint32_t)size;
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
    maker->units = trace_end(trace);
    maker->paths = xmalloc(maker->units * sizeof *maker->paths);
    memset(maker->paths, 0, maker->units * sizeof *maker->paths);
    size_t unit = TRACE_FIRST_UNIT, units;
    const struct trace_record *record;
    for (; (record = trace_next_record(trace, &unit, &units)); unit += units) {
        if (record->kind == (TRACE_FILE | TRACE_COMPLETE))
            maker->paths[unit] = trace_path_in(record, units, offsetof(struct trace_file, path));
        if (record->kind == (TRACE_PROCESS | TRACE_COMPLETE))
            maker->paths[unit] = trace_path_in(record, units, offsetof(struct trace_process, path));
    }
}

static int compare_path(const void *path, const void *file)
{
    return strcmp(path, ((const struct recorded_file *)file)->path);
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
    append(&maker->frames, &frame, sizeof frame);
}

static void add_stack(struct maker *maker, const struct recording *recording,
                      const struct trace_stack *from, size_t units)
{
    const char *path = path_of(maker, from->file), *executable = path_of(maker, from->process);
    size_t room =
        (units * TRACE_UNIT - offsetof(struct trace_stack, frames)) / sizeof *from->frames;
    const struct recorded_file *file = path && executable && recording->file_count
                                           ? bsearch(path, recording->files, recording->file_count,
                                                     sizeof *recording->files, compare_path)
                                           : NULL;
    if (!file || from->frame_count > room)
        return;
    uint32_t i = 0, count = from->frame_count;
    for (const char *own; i < count; i++) { /* the recorder itself */
        own = path_of(maker, from->frames[i].file);
        if (!own || !ends_with(own, RECORDER))
            break;
    }
    struct stacks_stack stack = {
        .file = (uint32_t)(file - recording->files),
        .executable = string(maker, executable),
        .first_frame = (uint32_t)(maker->frames.size / sizeof(struct stacks_frame)),
        .frame_count = count - i < TRACE_STACK_DEPTH ? count - i : TRACE_STACK_DEPTH,
    };
    for (uint32_t end = i + stack.frame_count; i < end; i++)
        add_frame(maker, &from->frames[i]);
    if (stack.frame_count)
        append(&maker->stacks, &stack, sizeof stack);
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    if (size)
        memcpy(to, bytes, size);
    return to + size;
}

static uint8_t *assemble(const struct maker *maker, size_t *size)
{
    struct stacks_counts counts = {
        .stacks = (uint32_t)(maker->stacks.size / sizeof(struct stacks_stack)),
        .frames = (uint32_t)(maker->frames.size / sizeof(struct stacks_frame)),
        .string_bytes = (uint32_t)maker->strings.size,
    };
    struct extra_section section = {.tag = STACKS_TAG};
    size_t bytes = sizeof counts + maker->stacks.size + maker->frames.size + maker->strings.size;
    *size = sizeof section + bytes;
    uint8_t *all = xmalloc(*size), *next = all + sizeof section;
    next = put(next, &counts, sizeof counts);
    next = put(next, maker->stacks.bytes, maker->stacks.size);
    next = put(next, maker->frames.bytes, maker->frames.size);
    put(next, maker->strings.bytes, maker->strings.size);
    section.bytes = (uint32_t)bytes;
    section.crc32 = hardware_crc32(all + sizeof section, bytes);
    memcpy(all, &section, sizeof section);
    return all;
}

uint8_t *stacks_make(const struct trace_header *trace, const struct recording *recording,
                     size_t *size)
{
    struct maker maker = {.symbols = symbols_new()};
    collect_paths(trace, &maker);
    size_t unit = TRACE_FIRST_UNIT, units;
    const struct trace_record *record;
    for (; (record = trace_next_record(trace, &unit, &units)); unit += units)
        if (record->kind == (TRACE_STACK | TRACE_COMPLETE))
            add_stack(&maker, recording, (const void *)record, units);
    uint8_t *bytes = NULL;
    *size = 0;
    if (maker.stacks.size)
        bytes = assemble(&maker, size);
    symbols_free(maker.symbols);
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
