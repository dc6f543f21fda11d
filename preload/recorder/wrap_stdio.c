/*
 * wrap_stdio.c: stdio's calls that open, close and seek in streams.
 */
#include "recorder/next.h"
#include "recorder/notes.h"
#include "recorder/streams.h"

#include <fcntl.h>

/* Streams for writing create what they open: see wrap_lookups.c. */
static FILE *opened(const char *path, const char *mode, FILE *file)
{
    if (mode && mode[0] == 'r')
        record_lookup(AT_FDCWD, path, !file);
    return record_stream(file);
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
    return next ? record_stream(next(fd, mode)) : NULL;
}

RECORD_API FILE *freopen(const char *path, const char *mode, FILE *file)
{
    RECORD_NEXT(freopen);
    record_stream_end(file);
    return next ? record_stream(next(path, mode, file)) : NULL;
}

RECORD_API FILE *freopen64(const char *path, const char *mode, FILE *file)
{
    RECORD_NEXT(freopen64);
    record_stream_end(file);
    return next ? record_stream(next(path, mode, file)) : NULL;
}

RECORD_API int fclose(FILE *file)
{
    RECORD_NEXT(fclose);
    record_stream_end(file);
    return next ? next(file) : EOF;
}

#define JUMP_CALL(name, parameters, arguments)                                                     \
    RECORD_API int name parameters                                                                 \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        record_before_jump(file);                                                                  \
        int result = next ? next arguments : -1;                                                   \
        if (result == 0)                                                                           \
            record_after_jump(file);                                                               \
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
    record_before_jump(file);
    if (next)
        next(file);
    record_after_jump(file);
}
