/*
 * frames.c: writes a profile into a log and finds it there again. Between the two are programs that
 * interleave, reorder, repeat, cut, quote and prefix lines: a frame proves itself, or is named.
 */
#include "profile/frames.h"

#include "cli/command.h"
#include "cli/table.h"
#include "coldboost.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKER   "coldboost-profile/"
#define VERSION  "1 "
#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

enum {
    MARKER_LENGTH = sizeof MARKER - 1,
    CRC_LENGTH = 1 + 8, /* with the blank before it */
    LINE_BYTES = PIPE_BUF,
};

static unsigned frame_count(size_t size)
{
    return (unsigned)((size + FRAME_BYTES - 1) / FRAME_BYTES);
}

static size_t frame_bytes(size_t size, unsigned index)
{
    size_t left = size - (size_t)(index - 1) * FRAME_BYTES;
    return left < FRAME_BYTES ? left : FRAME_BYTES;
}

/* ---- writing -------------------------------------------------------------------------------- */

static size_t encode(char *to, const uint8_t *bytes, size_t size)
{
    char *start = to;
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= have > 2 ? bytes[i + 2] : 0;
        for (size_t k = 0; k < 4; k++)
            *to++ = '=';
        for (size_t k = 0; k <= have; k++)
            to[(ptrdiff_t)k - 4] = ALPHABET[bits >> (18 - 6 * k) & 63];
    }
    return (size_t)(to - start);
}

int frames_write(int fd, const uint8_t *bytes, size_t size)
{
    char line[LINE_BYTES];
    uint32_t profile = hardware_crc32(bytes, size);
    unsigned count = frame_count(size);
    int error = 0;
    for (unsigned index = 1; index <= count && !error; index++) {
        size_t length =
            (size_t)sprintf(line, MARKER VERSION "%08x-%zx %u/%u ", profile, size, index, count);
        length += encode(line + length, bytes + (size_t)(index - 1) * FRAME_BYTES,
                         frame_bytes(size, index));
        length += (size_t)sprintf(line + length, " %08x\n", hardware_crc32(line, length));
        error = write_all(fd, line, length);
    }
    return error;
}

/* ---- one frame ------------------------------------------------------------------------------ */

struct frame {
    uint32_t profile; /* CRC-32 */
    unsigned size, index, count;
    uint8_t bytes[FRAME_BYTES];
};

/* How many of the marker's characters stand otherwise at `text`; 2 for more than one. */
static unsigned marker_errors(const uint8_t *text)
{
    unsigned errors = 0;
    for (size_t i = 0; i < MARKER_LENGTH && errors < 2; i++)
        errors += text[i] != (uint8_t)MARKER[i];
    return errors;
}

/* Returns how many bytes the text holds, 0 if it is no base64 or holds more than a frame. */
static size_t decode(const char *text, size_t length, uint8_t *out)
{
    size_t padding = 0, size = 0;
    uint32_t bits = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (length % 4 || length / 4 * 3 > FRAME_BYTES)
        return 0;
    for (size_t i = 0; i < length; i++) {
        const char *digit = i < length - padding ? strchr(ALPHABET, text[i]) : ALPHABET;
        if (!digit)
            return 0;
        bits = bits << 6 | (uint32_t)(digit - ALPHABET);
        for (unsigned k = 0; i % 4 == 3 && k < 3; k++)
            out[size++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return size - padding;
}

static bool ends_word(const uint8_t *text, size_t size)
{
    return size == 0 || (*text && strchr("\n\r\t \"',\\", *text));
}

/* Reads the frame at the beginning of the text. Returns its length, 0 if it is not intact. */
static size_t parse(const uint8_t *text, size_t size, struct frame *out)
{
    char line[LINE_BYTES + 1], crc[CRC_LENGTH + 1];
    size_t room = size < LINE_BYTES ? size : LINE_BYTES;
    memcpy(line, text, room);
    line[room] = '\0';
    int head = 0;
    if (sscanf(line, MARKER VERSION "%8x-%7x %5u/%5u %n", &out->profile, &out->size, &out->index,
               &out->count, &head) != 4 ||
        !head)
        return 0;
    size_t digits = strspn(line + head, ALPHABET "="), covered = (size_t)head + digits;
    snprintf(crc, sizeof crc, " %08x", hardware_crc32(line, covered));
    if (strncmp(line + covered, crc, CRC_LENGTH) != 0 ||
        !ends_word(text + covered + CRC_LENGTH, size - covered - CRC_LENGTH))
        return 0;
    if (!out->size || out->size > PROFILE_MAX_BYTES || out->count != frame_count(out->size) ||
        out->index < 1 || out->index > out->count ||
        decode(line + head, digits, out->bytes) != frame_bytes(out->size, out->index))
        return 0;
    return covered + CRC_LENGTH;
}

/* ---- putting them together ------------------------------------------------------------------ */

enum seen { MISSING, HERE, DOUBLED, MIXED };

struct log_stream {
    uint32_t profile;
    unsigned size, count;
    uint8_t *bytes;
    uint8_t *seen; /* enum seen, a byte a frame */
};

struct frame_reader {
    const char *log;
    struct log_stream *streams;
    size_t count;
    size_t faults;
};

static struct log_stream *find_stream(struct frame_reader *reader, const struct frame *frame)
{
    for (size_t i = 0; i < reader->count; i++)
        if (reader->streams[i].profile == frame->profile && reader->streams[i].size == frame->size)
            return &reader->streams[i];
    struct log_stream *stream = GROW(reader->streams, reader->count);
    *stream = (struct log_stream){.profile = frame->profile,
                                  .size = frame->size,
                                  .count = frame->count,
                                  .bytes = xmalloc(frame->size),
                                  .seen = xmalloc(frame->count)};
    memset(stream->seen, MISSING, stream->count);
    return stream;
}

static void add(struct frame_reader *reader, const struct frame *frame)
{
    struct log_stream *stream = find_stream(reader, frame);
    uint8_t *seen = &stream->seen[frame->index - 1];
    uint8_t *at = stream->bytes + (size_t)(frame->index - 1) * FRAME_BYTES;
    size_t size = frame_bytes(frame->size, frame->index);
    if (*seen == MISSING) {
        memcpy(at, frame->bytes, size);
        *seen = HERE;
    } else if (*seen != MIXED) {
        *seen = memcmp(at, frame->bytes, size) == 0 ? DOUBLED : MIXED;
    }
}

/* Warns of the frames in that state; returns whether there are any. */
static bool warn_of(const char *name, const struct log_stream *stream, enum seen state,
                    const char *what)
{
    char list[256] = "";
    size_t length = 0;
    for (unsigned i = 0; i < stream->count; i++) {
        unsigned first = i;
        if (stream->seen[i] != state)
            continue;
        while (i + 1 < stream->count && stream->seen[i + 1] == state)
            i++;
        const char *comma = length ? ", " : "";
        if (length > sizeof list - 40) {
            sprintf(list + length, ", ...");
            break;
        }
        length += (size_t)(first == i ? sprintf(list + length, "%s%u", comma, i + 1)
                                      : sprintf(list + length, "%s%u-%u", comma, first + 1, i + 1));
    }
    if (length)
        warn("%s: frame %s of %u: %s", name, list, stream->count, what);
    return length > 0;
}

/* Moves a whole profile to `out`; frees the others. */
static bool finish(struct frame_reader *reader, struct log_stream *stream,
                   struct framed_profile *out)
{
    char *name = xasprintf("%s, profile %08x-%x", reader->log, stream->profile, stream->size);
    warn_of(name, stream, DOUBLED, "more than once in the log");
    bool whole = !warn_of(name, stream, MISSING, "missing");
    if (warn_of(name, stream, MIXED, "in the log in two versions"))
        whole = false;
    if (whole && hardware_crc32(stream->bytes, stream->size) != stream->profile) {
        warn("%s: its frames are of several profiles", name);
        whole = false;
    }
    free(stream->seen);
    if (whole) {
        *out = (struct framed_profile){name, stream->bytes, stream->size};
    } else {
        reader->faults++;
        free(stream->bytes);
        free(name);
    }
    return whole;
}

struct framed_profile *frames_read(const char *log, const uint8_t *text, size_t size, size_t *count,
                                   size_t *faults)
{
    struct frame_reader reader = {.log = log};
    struct frame *frame = xmalloc(sizeof *frame);
    size_t line = 1;
    for (size_t at = 0; at + MARKER_LENGTH <= size;) {
        unsigned errors = marker_errors(text + at);
        size_t length = errors == 0 ? parse(text + at, size - at, frame) : 0;
        if (length) {
            add(&reader, frame);
        } else if (errors < 2) {
            warn("%s: line %zu: a frame is damaged, or of another version of coldboost", log, line);
            reader.faults++;
        }
        line += text[at] == '\n';
        at += length ? length : 1;
    }
    free(frame);
    struct framed_profile *profiles = xmalloc(reader.count * sizeof *profiles);
    *count = 0;
    for (size_t i = 0; i < reader.count; i++)
        *count += finish(&reader, &reader.streams[i], &profiles[*count]);
    free(reader.streams);
    *faults += reader.faults;
    return profiles;
}
