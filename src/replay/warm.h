/*
 * warm.h: whether a start is warm, for the thread that is about to replay it.
 */
#ifndef CB_WARM_H
#define CB_WARM_H

#include "replay/profile.h"
#include "replay/residency.h"

#include <stddef.h>

/*
 * Whether the files of an executable are in memory, by up to sixteen samples; unknown if that
 * cannot be said within some 100 µs. To start a replay in vain takes longer, most of all while all
 * CPUs are busy. Opens nothing that may hang.
 *
 * `fd` is the profile, and `bytes` its beginning, which profile_peek() has found good; the rest may
 * hold anything, for what is read of it is not checked against the checksum: a damaged profile gets
 * a wrong answer, and nothing worse. *range_count is set to the number of ranges, where it is
 * known.
 */
enum residency warm_look(int fd, const uint8_t *bytes, size_t size, const char *executable,
                         uint32_t *range_count);

#endif
