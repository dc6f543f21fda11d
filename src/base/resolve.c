/*
 * resolve.c: asks the kernel, which has followed all links.
 */
#include "base/resolve.h"

#include "base/sys.h"
#include "base/text.h"

bool resolve_descriptor(int fd, char *resolved, size_t bytes)
{
    char link[TEXT_DESCRIPTOR_LINK];
    long length = sys_readlink(text_descriptor_link(link, fd), resolved, bytes - 1);
    resolved[length > 0 ? length : 0] = '\0';
    return *resolved == '/';
}

bool resolve_path(const char *path, char *resolved, size_t bytes)
{
    int fd = sys_open(path, O_PATH);
    if (fd < 0)
        return false;
    bool found = resolve_descriptor(fd, resolved, bytes);
    sys_close(fd);
    return found;
}
