/*
 * profile_read.c: reads a profile whole and says what is wrong with one that cannot be used.
 */
#include "profile/profile_read.h"

#include "cli/command.h"

#include <errno.h>

static const char *explain(int error)
{
    switch (error) {
    case -ENOEXEC:
        return "not a coldboost profile";
    case -ENOTSUP:
        return "made by another version of coldboost; record it again";
    case -EMSGSIZE:
        return "truncated or longer than it says; record or copy it again";
    case -EBADMSG:
        return "damaged: its checksum disagrees; record or copy it again";
    default:
        return "damaged: an entry points outside its table; record it again";
    }
}

void check_profile(const char *name, const uint8_t *bytes, size_t size, struct profile *out)
{
    int error = profile_parse(bytes, size, out);
    if (error)
        fail(EXIT_FAILED, "%s: %s", name, explain(error));
}

uint8_t *read_profile(const char *path, struct profile *out, size_t *size)
{
    uint8_t *bytes = read_file(path, PROFILE_MAX_BYTES, size);
    check_profile(path, bytes, *size, out);
    return bytes;
}

uint64_t profile_range_bytes(const struct profile *profile, const struct profile_range *range)
{
    uint64_t first = (uint64_t)range->first_page * PROFILE_PAGE_BYTES;
    uint64_t end = first + (uint64_t)range->page_count * PROFILE_PAGE_BYTES;
    uint64_t size = profile->files[range->file].size;
    return range->page_count == 0 ? 0 : (end < size ? end : size) - first;
}
