/*
 * profile.c: from bytes to a validated view of a profile. Opens nothing, allocates nothing, and
 * reads no byte outside the ones it was given. See profile.h for the format.
 */
#include "replay/profile.h"

#include "base/text.h"
#include "coldboost.h"

#include <errno.h>

#define CRC_START (offsetof(struct profile_header, crc32) + sizeof(uint32_t))

bool profile_file_fits(const struct profile_file *file, uint64_t size)
{
    return file->kind == PROFILE_FILE_DIRECTORY || file->size == size;
}

enum file_fate profile_file_fate(const struct profile_file *file, const struct profile_file *now)
{
    if (file->kind != now->kind || !profile_file_fits(file, now->size))
        return FILE_STALE;
    /* Images and archives keep whole seconds. */
    int64_t whole = file->mtime_ns - file->mtime_ns % 1000000000;
    bool same = file->build_id_bytes
                    ? now->build_id_bytes == file->build_id_bytes &&
                          bytes_equal(now->build_id, file->build_id, file->build_id_bytes)
                    : !file->mtime_ns || now->mtime_ns == file->mtime_ns || now->mtime_ns == whole;
    return same ? FILE_SAME : FILE_CHANGED;
}

uint64_t profile_hash(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3u;
    return hash;
}

int profile_check_header(const uint8_t *bytes, size_t size)
{
    const struct profile_header *header = (const void *)bytes;
    if (size < sizeof *header || !bytes_equal(header->magic, PROFILE_MAGIC, sizeof header->magic))
        return -ENOEXEC;
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || header->version != PROFILE_VERSION)
        return -ENOTSUP;
    /* Every count is below 2^32 and every entry at most 64 bytes: no sum here can wrap. */
    uint64_t expected =
        sizeof *header + (uint64_t)header->executable_count * sizeof(struct profile_executable) +
        (uint64_t)header->file_count * sizeof(struct profile_file) +
        (uint64_t)header->range_count * sizeof(struct profile_range) + header->string_bytes;
    if (header->size != expected || expected > PROFILE_MAX_BYTES)
        return -EMSGSIZE;
    return 0;
}

bool profile_view(const uint8_t *bytes, size_t size, struct profile *out)
{
    const struct profile_header *header = (const void *)bytes;
    out->header = header;
    out->executables = (const void *)(header + 1);
    out->files = (const void *)(out->executables + header->executable_count);
    out->ranges = (const void *)(out->files + header->file_count);
    out->strings = (const void *)(out->ranges + header->range_count);
    return size == header->size || size == header->size + header->extra_bytes;
}

/* All strings end inside the table if its last byte is 0 and they start inside it. */
bool profile_path_is_valid(const struct profile *profile, uint32_t path)
{
    uint32_t bytes = profile->header->string_bytes;
    return path < bytes && profile->strings[path] == '/' && !profile->strings[bytes - 1];
}

static bool file_is_valid(const struct profile *profile, const struct profile_file *file)
{
    return profile_path_is_valid(profile, file->path) && file->kind <= PROFILE_FILE_PATH &&
           file->build_id_bytes <= PROFILE_BUILD_ID && file->size <= INT64_MAX;
}

static bool range_is_valid(const struct profile *profile, const struct profile_range *range)
{
    if (range->file >= profile->header->file_count)
        return false;
    const struct profile_file *file = &profile->files[range->file];
    if (range->page_count == 0)
        return true;
    uint64_t first = (uint64_t)range->first_page * PROFILE_PAGE_BYTES;
    uint64_t last = ((uint64_t)range->first_page + range->page_count - 1) * PROFILE_PAGE_BYTES;
    return file->kind == PROFILE_FILE_REGULAR && first <= last && last < file->size;
}

bool profile_section_fits(const struct profile *profile, const struct profile_executable *section)
{
    uint32_t ranges = profile->header->range_count;
    return section->first_range <= ranges && section->range_count <= ranges - section->first_range;
}

int profile_parse(const uint8_t *bytes, size_t size, struct profile *out)
{
    struct profile profile;
    int error = profile_check_header(bytes, size);
    if (error)
        return error;
    if (!profile_view(bytes, size, &profile))
        return -EMSGSIZE;
    const struct profile_header *header = profile.header;
    if (hardware_crc32(bytes + CRC_START, header->size - CRC_START) != header->crc32)
        return -EBADMSG;
    if (header->string_bytes && profile.strings[header->string_bytes - 1] != '\0')
        return -EINVAL;
    for (uint32_t i = 0; i < header->executable_count; i++)
        if (!profile_path_is_valid(&profile, profile.executables[i].path) ||
            !profile_section_fits(&profile, &profile.executables[i]))
            return -EINVAL;
    for (uint32_t i = 0; i < header->file_count; i++)
        if (!file_is_valid(&profile, &profile.files[i]))
            return -EINVAL;
    for (uint32_t i = 0; i < header->range_count; i++)
        if (!range_is_valid(&profile, &profile.ranges[i]))
            return -EINVAL;
    *out = profile;
    return 0;
}

const struct profile_executable *profile_find(const struct profile *profile, const char *path)
{
    uint64_t hash = profile_hash(path);
    for (uint32_t i = 0; i < profile->header->executable_count; i++) {
        const struct profile_executable *executable = &profile->executables[i];
        if (executable->path_hash == hash && text_equal(profile->strings + executable->path, path))
            return executable;
    }
    return NULL;
}

const struct profile_executable *profile_peek_row(const uint8_t *bytes, size_t size,
                                                  const char *path)
{
    const struct profile_header *header = (const void *)bytes;
    const struct profile_executable *rows = (const void *)(header + 1);
    size_t visible = (size - sizeof *header) / sizeof *rows;
    uint64_t hash = profile_hash(path);
    for (size_t i = 0; i < visible && i < header->executable_count; i++)
        if (rows[i].path_hash == hash)
            return &rows[i];
    return NULL;
}

bool profile_peek(const uint8_t *bytes, size_t size, const char *path)
{
    const struct profile_header *header = (const void *)bytes;
    return header->executable_count > (size - sizeof *header) / sizeof(struct profile_executable) ||
           profile_peek_row(bytes, size, path);
}

bool profile_peek_others(const uint8_t *bytes, size_t size, const char *path)
{
    const struct profile_header *header = (const void *)bytes;
    return header->executable_count > (profile_peek_row(bytes, size, path) ? 1 : 0);
}

bool profile_peek_part(const uint8_t *bytes, size_t size, uint64_t start_hash, const char *path)
{
    const struct profile_header *header = (const void *)bytes;
    const struct profile_executable *first = (const void *)(header + 1);
    return header->flags & PROFILE_OF_ONE_START && profile_peek_row(bytes, size, path) &&
           first->path_hash == start_hash;
}
