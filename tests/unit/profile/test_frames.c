/*
 * test_frames.c: a profile comes out of a log as it went in, or is missed and named.
 */
#include "coldboost.h"
#include "profile/frames.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM = 1 << 20 };

static uint8_t original[4 * FRAME_BYTES];
static size_t faults;
static int messages; /* what is said on stderr */

static void set_up(void)
{
    for (size_t i = 0; i < sizeof original; i++)
        original[i] = (uint8_t)(i * i * 2654435761u >> 7);
    messages = memfd_create("messages", MFD_CLOEXEC);
    cr_assert(dup2(messages, STDERR_FILENO) >= 0);
}

TestSuite(frames, .init = set_up);

/* The frames of the first `size` bytes, as text; *length may be NULL. */
static char *write_frames(size_t size, size_t *length)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    cr_assert_eq(frames_write(fd, original, size), 0);
    char *text = calloc(1, ROOM);
    ssize_t n = pread(fd, text, ROOM - 1, 0);
    cr_assert(n > 0 && n < ROOM - 1);
    if (length)
        *length = (size_t)n;
    close(fd);
    return text;
}

/* How many whole profiles there are; each must be the original's first `size` bytes. */
static size_t read_frames(const char *text, size_t length, size_t size)
{
    size_t count;
    faults = 0;
    struct framed_profile *found =
        frames_read("the log", (const uint8_t *)text, length, &count, &faults);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(found[i].size, size);
        cr_assert_arr_eq(found[i].bytes, original, size);
        free(found[i].name);
        free(found[i].bytes);
    }
    free(found);
    return count;
}

/* Whether it has been said since the last call; empties what was said. */
static bool was_said(const char *what)
{
    char said[4096] = "";
    cr_assert(pread(messages, said, sizeof said - 1, 0) >= 0);
    cr_assert_eq(ftruncate(messages, 0), 0);
    lseek(messages, 0, SEEK_SET);
    return *what ? strstr(said, what) != NULL : !*said;
}

Test(frames, come_back_whatever_their_size)
{
    static const size_t sizes[] = {1,
                                   2,
                                   3,
                                   4,
                                   100,
                                   FRAME_BYTES - 1,
                                   FRAME_BYTES,
                                   FRAME_BYTES + 1,
                                   3 * FRAME_BYTES + 2,
                                   sizeof original};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t length, lines = 0;
        char *text = write_frames(sizes[i], &length);
        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
            cr_assert_lt(end - line, 4096, "longer than PIPE_BUF");
        cr_assert_eq(lines, (sizes[i] + FRAME_BYTES - 1) / FRAME_BYTES);
        cr_assert_eq(read_frames(text, length, sizes[i]), 1, "%zu bytes", sizes[i]);
        cr_assert_eq(faults, 0);
        cr_assert_eq(read_frames(text, length - 1, sizes[i]), 1, "without the last line's end");
        cr_assert(was_said(""));
        free(text);
    }
}

Test(frames, every_flipped_bit_is_reported)
{
    static const size_t sizes[] = {64, FRAME_BYTES + 150};
    for (size_t i = 0; i < 2; i++) {
        size_t length;
        char *text = write_frames(sizes[i], &length);
        /* Every bit of a small frame; of a full one, so many that valgrind has time for them. */
        for (size_t bit = 0; bit < 8 * length; bit += i ? 5 : 1) {
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            size_t found = read_frames(text, length, sizes[i]);
            cr_assert_geq(faults, 1, "bit %zu of byte %zu: %zu found", bit % 8, bit / 8, found);
            cr_assert(was_said("damaged"), "bit %zu of byte %zu", bit % 8, bit / 8);
            text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        }
        for (size_t cut = 18; cut < length - 1; cut++) /* behind a whole marker */
            if (text[cut] != '\n' && text[cut - 1] != '\n') {
                cr_assert_eq(read_frames(text, cut, sizes[i]), 0, "cut at %zu", cut);
                cr_assert(!was_said(""), "cut at %zu", cut);
            }
        cr_assert_eq(read_frames(text, length, sizes[i]), 1);
        free(text);
    }
}

Test(frames, are_found_wherever_they_stand)
{
    static const char *const around[][2] = {
        {"", "\n"},
        {"2026-11-22T10:00:00.000Z 2026/11/22/[$LATEST]0 ", "\r\n"},
        {"START RequestId: 0\n{\"message\":\"", "\\n\"},\n\n"},
        {"a line that nobody ended", " "},
        {"x,", ","},
    };
    char *text = write_frames(sizeof original, NULL), *log = calloc(1, ROOM);
    char *lines[4] = {strtok(text, "\n"), strtok(NULL, "\n"), strtok(NULL, "\n"),
                      strtok(NULL, "\n")};
    static const unsigned orders[][4] = {{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3, 1, 0}};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        for (size_t k = 0; k < 3; k++) {
            *log = '\0';
            for (size_t n = 0; n < 4; n++)
                strcat(strcat(strcat(log, around[i][0]), lines[orders[k][n]]), around[i][1]);
            cr_assert_eq(read_frames(log, strlen(log), sizeof original), 1, "%zu %zu", i, k);
            cr_assert_eq(faults, 0);
            cr_assert(was_said(""));
        }
    free(log);
    free(text);
}

Test(frames, missing_and_doubled_ones_are_named)
{
    char *text = write_frames(sizeof original, NULL), *log = calloc(1, ROOM);
    char *lines[4] = {strtok(text, "\n"), strtok(NULL, "\n"), strtok(NULL, "\n"),
                      strtok(NULL, "\n")};
    static const struct {
        const char *lines, *said;
        size_t count, faults;
    } cases[] = {
        {"0123", "", 1, 0},
        {"01233", ": frame 4 of 4: more than once", 1, 0},
        {"30121032", ": frame 1-4 of 4: more than once", 1, 0},
        {"013", ": frame 3 of 4: missing", 0, 1},
        {"1", ": frame 1, 3-4 of 4: missing", 0, 1},
        {"020", ": frame 2, 4 of 4: missing", 0, 1},
        {"020", ": frame 1 of 4: more than once", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        *log = '\0';
        for (const char *c = cases[i].lines; *c; c++)
            strcat(strcat(log, lines[*c - '0']), "\n");
        cr_assert_eq(read_frames(log, strlen(log), sizeof original), cases[i].count, "%zu", i);
        cr_assert_eq(faults, cases[i].faults, "%zu", i);
        cr_assert(was_said(cases[i].said), "%zu: %s", i, cases[i].said);
    }
    free(log);
    free(text);
}

/* A frame with a checksum that is right, whatever it says. */
static void forge(char *log, const char *head, const char *body)
{
    char *line = log + strlen(log);
    strcat(strcat(line, head), body);
    sprintf(line + strlen(line), " %08x\n", hardware_crc32(line, strlen(line)));
}

Test(frames, of_several_profiles_are_told_apart)
{
    size_t length, more;
    char *text = write_frames(2 * FRAME_BYTES, &length), *log = calloc(1, ROOM);
    original[0] ^= 1;
    char *other = write_frames(2 * FRAME_BYTES, &more);
    cr_assert_eq(length, more);
    /* Line by line in turn: both are whole. */
    for (char *a = text, *b = other; *a; a = strchr(a, '\n') + 1, b = strchr(b, '\n') + 1) {
        strncat(log, b, (size_t)(strchr(b, '\n') + 1 - b));
        if (a != text) /* the first one's first frame is missing */
            strncat(log, a, (size_t)(strchr(a, '\n') + 1 - a));
    }
    cr_assert_eq(read_frames(log, strlen(log), 2 * FRAME_BYTES), 1);
    cr_assert_eq(faults, 1);
    cr_assert(was_said(": frame 1 of 2: missing"));

    /* With one name, which only somebody who means it, or a chance of 2^-32, can give them. */
    *log = '\0';
    forge(log, "coldboost-profile/1 12345678-3 1/1 ", "AAAA");
    cr_assert_eq(read_frames(log, strlen(log), 3), 0);
    cr_assert_eq(faults, 1);
    cr_assert(was_said(": its frames are of several profiles"));
    forge(log, "coldboost-profile/1 12345678-3 1/1 ", "AAAB");
    cr_assert_eq(read_frames(log, strlen(log), 3), 0);
    cr_assert_eq(faults, 1);
    cr_assert(was_said(": frame 1 of 1: in the log in two versions"));
    free(other);
    free(log);
    free(text);
}

Test(frames, with_impossible_numbers_are_refused)
{
    static const char *const heads[] = {
        "coldboost-profile/1 12345678-0 1/1 ",
        "coldboost-profile/1 12345678-3 0/1 ",
        "coldboost-profile/1 12345678-3 2/1 ",
        "coldboost-profile/1 12345678-3 1/2 ",
        "coldboost-profile/1 12345678-4 1/1 ",
        "coldboost-profile/1 12345678-2 1/1 ",
        "coldboost-profile/1 12345678-fffffff 1/1 ",
        "coldboost-profile/1 12345678-2000000 1/11185 ",
        "coldboost-profile/2 12345678-3 1/1 ",
        "coldboost-profile/1 12345678-3 1/1 =",
        "coldboost-profile/1 12345678-3 1/1 A",
        "coldboost-profile/1 12345678-3 1/1 AA=A",
        "coldboost-profile/1 ",
        "coldboost-profile/1 12345678-3 1/1 -",
    };
    char log[256] = "";
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        *log = '\0';
        forge(log, heads[i], "AAAA");
        cr_assert_eq(read_frames(log, strlen(log), 3), 0, "%s", heads[i]);
        cr_assert_eq(faults, 1, "%s", heads[i]);
        cr_assert(was_said("line 1: a frame is damaged"), "%s", heads[i]);
    }
}
