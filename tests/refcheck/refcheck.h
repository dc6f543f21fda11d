/*
 * refcheck.h: what the runner compares, so that broken.c can put something worse in its place.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct checksum {
    const char *name;
    uint32_t polynomial; /* reflected */
    uint32_t (*update)(uint32_t crc, const void *data, size_t n);
    uint32_t (*one_shot)(const void *data, size_t n);
    uint32_t (*combine)(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);
};

struct copy {
    const char *name;
    void *(*copy)(void *restrict dst, const void *restrict src, size_t n);
};

struct subjects {
    struct checksum checksums[2];
    struct copy copies[2];
};

struct broken {
    const char *name;
    void (*apply)(struct subjects *subjects);
};

/* Ends with a NULL name. */
extern const struct broken broken_variants[];
