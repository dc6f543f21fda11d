/*
 * wrap_stdio.c: what programs read through stdio. libc reads with calls of its own that cannot be
 * wrapped, but it reads forward: what lies between the position where a stream started (or was
 * sought to) and its descriptor's position when it ends has been read.
 */
#include "recorder/recorder.h"

#include "base/sys.h"
#include "replay/profile.h"

#include <stdatomic.h>
#include <stdio.h>

#pragma weak fileno
#pragma weak ftello
#pragma weak stdin

enum { STREAMS = 1024 }; /* more open at once are not followed */

struct stream {
    FILE *_Atomic file;
    int64_t start; /* of what has not been noted yet */
    uint64_t device, inode;
};

static struct stream streams[STREAMS];

static struct stream *find(FILE *file)
{
    size_t slot = ((uintptr_t)file >> 4) * 31;
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &streams[(slot + i) % STREAMS];
        if (stream->file == file)
            return stream;
    }
    return NULL;
}

static void follow(FILE *file)
{
    struct stat status;
    int fd = record_process() && file && fileno ? fileno(file) : -1;
    if (fd < 0 || sys_fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return;
    record_met(fd);
    int64_t start = sys_position(fd);
    size_t slot = ((uintptr_t)file >> 4) * 31;
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &streams[(slot + i) % STREAMS];
        FILE *expected = NULL;
        if (atomic_compare_exchange_strong(&stream->file, &expected, file)) {
            stream->start = start;
            stream->device = status.st_dev;
            stream->inode = status.st_ino;
            return;
        }
    }
}

/* The descriptor may have been closed, or be another file by now, without stdio's knowledge. */
static void note(struct stream *stream, FILE *file)
{
    struct stat status;
    int fd = record_process() ? fileno(file) : -1;
    if (fd < 0 || sys_fstat(fd, &status) != 0 || status.st_dev != stream->device ||
        status.st_ino != stream->inode)
        return;
    int64_t end = sys_position(fd);
    if (end > stream->start) {
        record_read(fd, stream->start, end - stream->start);
        stream->start = end;
    }
}

static void unfollow(FILE *file)
{
    struct stream *stream = file ? find(file) : NULL;
    if (!stream)
        return;
    note(stream, file);
    stream->file = NULL;
}

void record_open_streams(void)
{
    for (size_t i = 0; i < STREAMS; i++) {
        FILE *file = streams[i].file;
        if (file)
            note(&streams[i], file);
    }
}

void record_standard_input(void)
{
    if (&stdin)
        follow(stdin);
}

/* ---- streams begin and end ------------------------------------------------------------------ */

static FILE *followed(FILE *file)
{
    if (file)
        follow(file);
    return file;
}

/* Streams for writing create what they open: see wrap_lookups.c. */
static FILE *opened(const char *path, const char *mode, FILE *file)
{
    if (mode && mode[0] == 'r')
        record_lookup(AT_FDCWD, path, !file);
    return followed(file);
}

RECORD_API FILE *fopen(const char *path, const char *mode)
{
    RECORD_NEXT(fopen);
    return opened(path, mode, next ? next(path, mode) : NULL);
}

RECORD_API FILE *fopen64(const char *path, const char *mode)
{
    RECORD_NEXT(fopen64);
    return opened(path, mode, next ? next(path, mode) : NULL);
}

RECORD_API FILE *fdopen(int fd, const char *mode)
{
    RECORD_NEXT(fdopen);
    return next ? followed(next(fd, mode)) : NULL;
}

RECORD_API FILE *freopen(const char *path, const char *mode, FILE *file)
{
    RECORD_NEXT(freopen);
    unfollow(file);
    return next ? followed(next(path, mode, file)) : NULL;
}

RECORD_API FILE *freopen64(const char *path, const char *mode, FILE *file)
{
    RECORD_NEXT(freopen64);
    unfollow(file);
    return next ? followed(next(path, mode, file)) : NULL;
}

RECORD_API int fclose(FILE *file)
{
    RECORD_NEXT(fclose);
    unfollow(file);
    return next ? next(file) : EOF;
}

/* ---- streams jump: libc reads from the beginning of the page it jumps to --------------------- */

static void before_jump(FILE *file)
{
    struct stream *stream = find(file);
    if (stream)
        note(stream, file);
}

static void after_jump(FILE *file)
{
    struct stream *stream = find(file);
    int64_t position = stream && ftello ? ftello(file) : -1;
    if (position >= 0)
        stream->start = position & ~(int64_t)(PROFILE_PAGE_BYTES - 1);
}

#define JUMP_CALL(name, parameters, arguments)                                                     \
    RECORD_API int name parameters                                                                 \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        before_jump(file);                                                                         \
        int result = next ? next arguments : -1;                                                   \
        if (result == 0)                                                                           \
            after_jump(file);                                                                      \
        return result;                                                                             \
    }

// clang-format off
JUMP_CALL(fseek, (FILE *file, long offset, int whence), (file, offset, whence))
JUMP_CALL(fseeko, (FILE *file, off_t offset, int whence), (file, offset, whence))
JUMP_CALL(fseeko64, (FILE *file, off64_t offset, int whence), (file, offset, whence))
JUMP_CALL(fsetpos, (FILE *file, const fpos_t *position), (file, position))
JUMP_CALL(fsetpos64, (FILE *file, const fpos64_t *position), (file, position))
// clang-format on

RECORD_API void rewind(FILE *file)
{
    RECORD_NEXT(rewind);
    before_jump(file);
    if (next)
        next(file);
    after_jump(file);
}
