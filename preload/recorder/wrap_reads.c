/*
 * wrap_reads.c: the calls with which a program reads files and directories, maps and unmaps them,
 * and ends. Each wrapper calls the real one, notes what it did, and returns its result.
 */
#include "recorder/recorder.h"

#include "base/objects.h"
#include "base/sys.h"
#include "trace/pages.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma weak dlsym
#pragma weak dirfd

/* Found by name only: not every libc declares them. */
ssize_t __read_chk(int fd, void *buffer, size_t bytes, size_t room);
ssize_t __pread_chk(int fd, void *buffer, size_t bytes, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t bytes, off64_t offset, size_t room);

/* The entries of all wrappers, side by side; the linker says where. */
extern struct record_next __start_record_next_entries[] __attribute__((visibility("hidden")));
extern struct record_next __stop_record_next_entries[] __attribute__((visibility("hidden")));

struct object_search {
    struct record_next *first, *end;
    bool behind; /* our own object has gone by */
};

static int search_object(const struct object *object, void *context)
{
    struct object_search *search = context;
    uintptr_t here = (uintptr_t)record_next;
    if (!search->behind) {
        search->behind = here >= object->begin && here < object->end;
        return 0;
    }
    for (struct record_next *of = search->first; of < search->end; of++)
        if (!of->function)
            of->function = object_function(object, of->name);
    return 0;
}

/*
 * dlsym knows about versions; but before glibc 2.34 it is in a library that not every program has,
 * and it is not asked for what nobody has: it would remember that for the program's dlerror.
 */
static void find(struct record_next *first, struct record_next *end)
{
    int saved = __errno_location ? *__errno_location() : 0;
    struct object_search search = {first, end, false};
    objects_visit(search_object, &search);
    for (struct record_next *of = first; dlsym && of < end; of++) {
        void *next = of->function ? dlsym(RTLD_NEXT, of->name) : NULL;
        if (next)
            of->function = next;
    }
    if (__errno_location)
        *__errno_location() = saved;
}

void record_find_next(void)
{
    find(__start_record_next_entries, __stop_record_next_entries);
}

void *record_next(struct record_next *of)
{
    if (!of->function)
        find(of, of + 1);
    return of->function;
}

/* ---- reads: one row a function -------------------------------------------------------------- */

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
    record_pages(0, UINTPTR_MAX);
    return next ? next(object) : -1;
}

/* ---- filters: they may kill a process for any call that its program does not make itself -------
 */

RECORD_API int prctl(int option, ...)
{
    RECORD_NEXT(prctl);
    va_list list;
    va_start(list, option);
    unsigned long arguments[4];
    for (size_t i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP)
        record_stop();
    return next ? next(option, arguments[0], arguments[1], arguments[2], arguments[3])
                : (int)record_result(-ENOSYS);
}

/* Of libseccomp, which makes the system call itself. */
int seccomp_load(void *filter);

RECORD_API int seccomp_load(void *filter)
{
    RECORD_NEXT(seccomp_load);
    record_stop();
    return next ? next(filter) : -ENOSYS;
}

/* ---- ends ----------------------------------------------------------------------------------- */

static _Noreturn void leave(int status)
{
    record_end();
    sys_exit(status);
}

RECORD_API void _exit(int status)
{
    leave(status);
}

RECORD_API void _Exit(int status)
{
    leave(status);
}

RECORD_API void quick_exit(int status)
{
    RECORD_NEXT(quick_exit);
    record_end();
    if (next)
        next(status);
    leave(status);
}
