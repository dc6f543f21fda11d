/*
 * streams.c: libc reads for stdio with calls of its own that cannot be wrapped, but it reads
 * forward: what lies between the position where a stream started (or was sought to) and its
 * descriptor's position when it ends has been read.
 */
#include "recorder/streams.h"

#include "base/sys.h"
#include "recorder/notes.h"
#include "recorder/state.h"

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
static _Atomic bool is_used; /* else none of its pages is ever touched */

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
    is_used = true;
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

FILE *record_stream(FILE *file)
{
    follow(file);
    return file;
}

void record_stream_end(FILE *file)
{
    struct stream *stream = file ? find(file) : NULL;
    if (!stream)
        return;
    note(stream, file);
    stream->file = NULL;
}

void record_before_jump(FILE *file)
{
    struct stream *stream = find(file);
    if (stream)
        note(stream, file);
}

/* libc reads from the beginning of the page it jumps to. */
void record_after_jump(FILE *file)
{
    struct stream *stream = find(file);
    int64_t position = stream && ftello ? ftello(file) : -1;
    if (position >= 0)
        stream->start = position & ~(int64_t)(TRACE_PAGE_BYTES - 1);
}

void record_open_streams(void)
{
    for (size_t i = 0; is_used && i < STREAMS; i++) {
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
