/*
 * profile_write.c: four growing tables, put together at the end. Decides nothing about what belongs
 * into a profile, and never hands out bytes that profile_parse() refuses.
 */
#include "profile/profile_write.h"

#include "cli/command.h"
#include "coldboost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text_table {
    uint8_t *bytes;
    size_t size, room;
};

struct profile_writer {
    struct profile_header header;
    struct text_table executables, files, ranges, strings, extra;
};

static void append(struct text_table *table, const void *entry, size_t bytes)
{
    if (table->size + bytes > table->room) {
        table->room = (table->size + bytes) * 2;
        table->bytes = xrealloc(table->bytes, table->room);
    }
    memcpy(table->bytes + table->size, entry, bytes);
    table->size += bytes;
}

/* Sizes are checked as a whole at the end; until then an offset that does not fit is harmless. */
static uint32_t append_string(struct profile_writer *writer, const char *text)
{
    uint32_t offset = (uint32_t)writer->strings.size;
    append(&writer->strings, text, strlen(text) + 1);
    return offset;
}

struct profile_writer *profile_writer_new(uint32_t epoch_us, uint64_t recorded_s)
{
    struct profile_writer *writer = xmalloc(sizeof *writer);
    *writer = (struct profile_writer){.header = {
                                          .magic = PROFILE_MAGIC,
                                          .version = PROFILE_VERSION,
                                          .recorded_s = recorded_s,
                                          .epoch_us = epoch_us,
                                      }};
    return writer;
}

uint32_t profile_writer_add_file(struct profile_writer *writer, const char *path,
                                 const struct profile_file *identity)
{
    struct profile_file file = *identity;
    file.path = append_string(writer, path);
    file.rank = 0;
    memset(file.reserved, 0, sizeof file.reserved);
    append(&writer->files, &file, sizeof file);
    return writer->header.file_count++;
}

void profile_writer_add_executable(struct profile_writer *writer, const char *path)
{
    struct profile_executable executable = {
        .path_hash = profile_hash(path),
        .path = append_string(writer, path),
        .first_range = writer->header.range_count,
    };
    append(&writer->executables, &executable, sizeof executable);
    writer->header.executable_count++;
}

void profile_writer_add_range(struct profile_writer *writer, const struct profile_range *range)
{
    uint8_t *end = writer->executables.bytes + writer->executables.size;
    ((struct profile_executable *)(void *)end)[-1].range_count++;
    append(&writer->ranges, range, sizeof *range);
    writer->header.range_count++;
}

void profile_writer_add_extra(struct profile_writer *writer, const uint8_t *bytes, size_t size)
{
    append(&writer->extra, bytes, size);
}

static uint8_t *put(uint8_t *to, const struct text_table *table)
{
    if (table->size)
        memcpy(to, table->bytes, table->size);
    return to + table->size;
}

static uint8_t *assemble(const struct profile_writer *writer, size_t size)
{
    uint8_t *bytes = xmalloc(size);
    uint8_t *next = bytes + sizeof writer->header;
    next = put(next, &writer->executables);
    next = put(next, &writer->files);
    next = put(next, &writer->ranges);
    next = put(next, &writer->strings);
    put(next, &writer->extra);
    size -= writer->extra.size;

    struct profile_header *header = (void *)bytes;
    *header = writer->header;
    header->size = size;
    header->extra_bytes = (uint32_t)writer->extra.size;
    header->string_bytes = (uint32_t)writer->strings.size;
    size_t start = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    header->crc32 = hardware_crc32(bytes + start, size - start);
    return bytes;
}

int profile_writer_finish(struct profile_writer *writer, uint8_t **bytes, size_t *size)
{
    int error = -EFBIG;
    *bytes = NULL;
    *size = sizeof writer->header + writer->executables.size + writer->files.size +
            writer->ranges.size + writer->strings.size + writer->extra.size;
    if (*size <= PROFILE_MAX_BYTES) {
        *bytes = assemble(writer, *size);
        struct profile view;
        error = profile_parse(*bytes, *size, &view);
    }
    if (error) {
        free(*bytes);
        *bytes = NULL;
    }
    free(writer->executables.bytes);
    free(writer->files.bytes);
    free(writer->ranges.bytes);
    free(writer->strings.bytes);
    free(writer->extra.bytes);
    free(writer);
    return error;
}
