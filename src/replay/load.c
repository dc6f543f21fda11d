/*
 * load.c: reads a profile's file. Opens nothing but regular files, follows no symbolic link, and
 * never reads through a mapping: a file that is cut short must be a short read, not SIGBUS.
 */
#include "replay/load.h"

#include "base/sys.h"
#include "coldboost.h"

int profile_load_page(const char *path, struct loaded_profile *out)
{
    struct sys_status status;
    int fd = sys_open_type(path, S_IFREG, &status);
    if (fd < 0)
        return fd;
    long n = sys_pread(fd, out->page, sizeof out->page, 0);
    int error = n < 0                             ? (int)n
                : status.size > PROFILE_MAX_BYTES ? -EMSGSIZE
                                                  : profile_check_header(out->page, (size_t)n);
    if (!error && status.size != out->header.size + out->header.extra_bytes)
        error = -EMSGSIZE;
    if (error || (uint64_t)n >= out->header.size) {
        sys_close(fd);
        fd = -1;
    }
    if (error)
        return error;
    out->fd = fd;
    out->bytes = out->page;
    out->size = (uint64_t)n < out->header.size ? (size_t)n : (size_t)out->header.size;
    return 0;
}

int profile_load_rest(struct loaded_profile *profile, bool for_long)
{
    if (profile->fd < 0)
        return 0;
    const size_t bytes = (size_t)profile->header.size;
    /* At once: a page fault for each page would take longer than to read them. */
    uint8_t *to = sys_map(bytes, (for_long ? MAP_SHARED : MAP_PRIVATE) | MAP_POPULATE);
    if (!to) {
        profile_unload(profile);
        return -ENOMEM;
    }
    size_t have = profile->size;
    fast_memcpy(to, profile->page, have);
    for (long n = 1; have < bytes && n > 0; have += n > 0 ? (size_t)n : 0)
        n = sys_pread(profile->fd, to + have, bytes - have, have);
    sys_close(profile->fd);
    profile->fd = -1;
    profile->bytes = to;
    profile->size = have;
    profile->mapped_bytes = bytes;
    return 0;
}

void profile_unload(struct loaded_profile *profile)
{
    if (profile->bytes && profile->fd >= 0)
        sys_close(profile->fd);
    if (profile->mapped_bytes)
        sys_unmap((void *)(uintptr_t)profile->bytes, profile->mapped_bytes);
    profile->bytes = NULL;
    profile->fd = -1;
    profile->mapped_bytes = 0;
}
