/*
 * profile_write.c: four growing tables, put together at the end. Decides nothing about what belongs
 * into a profile, and never hands out bytes that profile_parse() refuses.
 */
#include "profile/profile_write.h"

#include "cli/command.h"
#include "cli/table.h"
#include "coldboost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct profile_writer {
    struct profile_header header;
    struct buffer executables, files, ranges, strings, extra;
};

/* Sizes are checked as a whole at the end; until then an offset that does not fit is harmless. */
static uint32_t append_string(struct profile_writer *writer, const char *text)
{
    uint32_t offset = (uint32_t)writer->strings.size;
    buffer_append(&writer->strings, text, strlen(text) + 1);
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

void profile_writer_set_one_start(struct profile_writer *writer)
{
    writer->header.flags |= PROFILE_OF_ONE_START;
}

uint32_t profile_writer_add_file(struct profile_writer *writer, const char *path,
                                 const struct profile_file *identity)
{
    struct profile_file file = *identity;
    file.path = append_string(writer, path);
    memset(file.reserved, 0, sizeof file.reserved);
    buffer_append(&writer->files, &file, sizeof file);
    return writer->header.file_count++;
}

void profile_writer_add_executable(struct profile_writer *writer, const char *path)
{
    struct profile_executable executable = {
        .path_hash = profile_hash(path),
        .path = append_string(writer, path),
        .first_range = writer->header.range_count,
    };
    buffer_append(&writer->executables, &executable, sizeof executable);
    writer->header.executable_count++;
}

void profile_writer_add_range(struct profile_writer *writer, const struct profile_range *range)
{
    uint8_t *end = writer->executables.bytes + writer->executables.size;
    ((struct profile_executable *)(void *)end)[-1].range_count++;
    buffer_append(&writer->ranges, range, sizeof *range);
    writer->header.range_count++;
}

void profile_writer_add_extra(struct profile_writer *writer, const uint8_t *bytes, size_t size)
{
    buffer_append(&writer->extra, bytes, size);
}

static struct buffer assemble(const struct profile_writer *writer)
{
    const struct buffer *const parts[] = {&writer->executables, &writer->files, &writer->ranges,
                                          &writer->strings};
    struct buffer all = {0};
    buffer_append(&all, &writer->header, sizeof writer->header);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        buffer_append(&all, parts[i]->bytes, parts[i]->size);
    struct profile_header *header = (void *)all.bytes;
    header->size = all.size;
    header->extra_bytes = (uint32_t)writer->extra.size;
    header->string_bytes = (uint32_t)writer->strings.size;
    size_t start = offsetof(struct profile_header, crc32) + sizeof header->crc32;
    header->crc32 = hardware_crc32(all.bytes + start, all.size - start);
    buffer_append(&all, writer->extra.bytes, writer->extra.size);
    return all;
}

int profile_writer_finish(struct profile_writer *writer, uint8_t **bytes, size_t *size)
{
    struct profile view;
    struct buffer all = assemble(writer);
    int error = all.size > PROFILE_MAX_BYTES ? -EFBIG : profile_parse(all.bytes, all.size, &view);
    if (error) {
        free(all.bytes);
        all.bytes = NULL;
    }
    *bytes = all.bytes;
    *size = all.size;
    free(writer->executables.bytes);
    free(writer->files.bytes);
    free(writer->ranges.bytes);
    free(writer->strings.bytes);
    free(writer->extra.bytes);
    free(writer);
    return error;
}
