/*
 * frames.h: a profile as lines of text, for where a log is all that leaves a machine.
 *
 *   coldboost-profile/1 PROFILE-SIZE INDEX/COUNT BASE64 CRC
 *
 * PROFILE is the CRC-32 of the whole profile and SIZE its bytes; together they name it. INDEX
 * counts from 1. BASE64 (RFC 4648, padded) holds FRAME_BYTES bytes, or what is left in the last
 * frame. CRC is the CRC-32 of the frame's text up to the blank before it. Checksums and SIZE are
 * small hexadecimal digits. Something that ends a word must follow: a line end, a blank, a
 * quotation mark, a comma, a backslash, the end of the text. Otherwise frames may stand anywhere in
 * a log, in any order, more than once, and among those of other profiles.
 */
#pragma once

#include "replay/profile.h"

/* The line is then shorter than PIPE_BUF: nobody else's output gets into it. */
#define FRAME_BYTES 3000u

/* Writes the profile to a descriptor, one write() a frame. Returns 0 or a negative errno. */
int frames_write(int fd, const uint8_t *bytes, size_t size);

/* A profile out of a log: all of its frames were there. What it points to is the caller's to free.
 */
struct framed_profile {
    char *name; /* the log's and its own, for messages */
    uint8_t *bytes;
    size_t size;
};

/*
 * Finds the profiles in the text of a log. Warns of frames that are damaged, missing, doubled, or
 * of several profiles with one name. Returns the profiles that are whole, the caller's to free, and
 * counts in *faults what was lost: a doubled frame is no fault.
 */
struct framed_profile *frames_read(const char *log, const uint8_t *text, size_t size, size_t *count,
                                   size_t *faults);
