/*
 * wrap_reads.c: the calls with which a program reads files and directories, maps and unmaps them:
 * one row a function. Each calls the real one, notes what it did, and returns its result.
 */
#include "base/sys.h"
#include "recorder/call_stacks.h"
#include "recorder/next.h"
#include "recorder/notes.h"
#include "recorder/state.h"
#include "trace/pages.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma weak dirfd

/* Found by name only: not every libc declares them. */
ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
ssize_t __pread_chk(int fd, void *buffer, size_t bytes, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t bytes, off64_t offset, size_t room);

/* Wraps a call that returns how many bytes it has read, and notes them as `note` says. */
#define READ_CALL(name, parameters, arguments, note)                                               \
    RECORD_API ssize_t name parameters                                                             \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        if (!next)                                                                                 \
            return record_result(-ENOSYS);                                                         \
        ssize_t n = next arguments;                                                                \
        note;                                                                                      \
        return n;                                                                                  \
    }

#define HERE(fd)       record_read_here(fd, n)
#define AT(fd, offset) record_read(fd, offset, n)
/* preadv2: offset -1 stands for the descriptor's position. */
#define AT_OR_HERE(fd, offset) (offset) == -1 ? HERE(fd) : AT(fd, offset)
/* sendfile and its like advance *offset, or the descriptor's position without one. */
#define BEHIND(fd, offset) (offset) ? AT(fd, *(offset)-n) : HERE(fd)

// clang-format off
READ_CALL(read, (int fd, void *buffer, size_t bytes), (fd, buffer, bytes), HERE(fd))
READ_CALL(__read_chk, (int fd, void *buffer, size_t bytes, size_t room),
          (fd, buffer, bytes, room), HERE(fd))
READ_CALL(readv, (int fd, const struct iovec *vector, int count), (fd, vector, count), HERE(fd))
READ_CALL(pread, (int fd, void *buffer, size_t bytes, off_t offset),
          (fd, buffer, bytes, offset), AT(fd, offset))
READ_CALL(pread64, (int fd, void *buffer, size_t bytes, off64_t offset),
          (fd, buffer, bytes, offset), AT(fd, offset))
READ_CALL(__pread_chk, (int fd, void *buffer, size_t bytes, off_t offset, size_t room),
          (fd, buffer, bytes, offset, room), AT(fd, offset))
READ_CALL(__pread64_chk, (int fd, void *buffer, size_t bytes, off64_t offset, size_t room),
          (fd, buffer, bytes, offset, room), AT(fd, offset))
READ_CALL(preadv, (int fd, const struct iovec *vector, int count, off_t offset),
          (fd, vector, count, offset), AT(fd, offset))
READ_CALL(preadv64, (int fd, const struct iovec *vector, int count, off64_t offset),
          (fd, vector, count, offset), AT(fd, offset))
READ_CALL(preadv2, (int fd, const struct iovec *vector, int count, off_t offset, int flags),
          (fd, vector, count, offset, flags), AT_OR_HERE(fd, offset))
READ_CALL(preadv64v2, (int fd, const struct iovec *vector, int count, off64_t offset, int flags),
          (fd, vector, count, offset, flags), AT_OR_HERE(fd, offset))
READ_CALL(sendfile, (int out, int in, off_t *offset, size_t bytes),
          (out, in, offset, bytes), BEHIND(in, offset))
READ_CALL(sendfile64, (int out, int in, off64_t *offset, size_t bytes),
          (out, in, offset, bytes), BEHIND(in, offset))
READ_CALL(copy_file_range, (int in, off64_t *in_offset, int out, off64_t *out_offset, size_t bytes,
                            unsigned flags),
          (in, in_offset, out, out_offset, bytes, flags), BEHIND(in, in_offset))
READ_CALL(splice, (int in, off64_t *in_offset, int out, off64_t *out_offset, size_t bytes,
                   unsigned flags),
          (in, in_offset, out, out_offset, bytes, flags), BEHIND(in, in_offset))
READ_CALL(getdents64, (int fd, void *buffer, size_t bytes), (fd, buffer, bytes), record_listed(fd))
// clang-format on

RECORD_API DIR *opendir(const char *path)
{
    RECORD_NEXT(opendir);
    DIR *directory = next ? next(path) : NULL;
    if (directory && dirfd)
        record_listed(dirfd(directory));
    return directory;
}

RECORD_API DIR *fdopendir(int fd)
{
    RECORD_NEXT(fdopendir);
    DIR *directory = next ? next(fd) : NULL;
    if (directory)
        record_listed(fd);
    return directory;
}

/* ---- mappings: an allocator may call these before it can serve dlsym; then straight to the kernel
 */

static void mapped(void *address, size_t bytes, int flags, int fd)
{
    if (address == MAP_FAILED || flags & MAP_ANONYMOUS)
        return;
    if (record_wants_random_mappings())
        sys_madvise(address, bytes, MADV_RANDOM);
    record_met(fd);
}

#define MAP_CALL(name, offset_type)                                                                \
    RECORD_API void *name(void *address, size_t bytes, int protection, int flags, int fd,          \
                          offset_type offset)                                                      \
    {                                                                                              \
        RECORD_NEXT_IF_KNOWN(name);                                                                \
        void *result =                                                                             \
            next ? next(address, bytes, protection, flags, fd, offset)                             \
                 : (void *)record_result(cb_syscall6(SYS_mmap, (long)address, (long)bytes,         \
                                                     protection, flags, fd, offset));              \
        mapped(result, bytes, flags, fd);                                                          \
        return result;                                                                             \
    }

MAP_CALL(mmap, off_t)
MAP_CALL(mmap64, off64_t)

RECORD_API int munmap(void *address, size_t bytes)
{
    RECORD_NEXT_IF_KNOWN(munmap);
    uintptr_t from = (uintptr_t)address;
    if (record_process() && pages_has_file(record_page_bytes(), from, from + bytes))
        record_pages(from, from + bytes);
    return next ? next(address, bytes) : (int)record_result(sys_unmap(address, bytes));
}

/* The loader unmaps with its own munmap. */
RECORD_API int dlclose(void *object)
{
    RECORD_NEXT(dlclose);
    record_loaded();
    record_unloading();
    return next ? next(object) : -1;
}
