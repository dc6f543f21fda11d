/*
 * crc_factors.h: made by tools/make-crc-constants src/arch/aarch64/crc_factors.h. Do not edit.
 */
/* clang-format off */
#ifndef CB_ARCH_AARCH64_CRC_FACTORS_H
#define CB_ARCH_AARCH64_CRC_FACTORS_H

#include <stdint.h>

/* Moves the registers of streams of 128 bytes behind two and one more. */
static const uint64_t crc32_merge_short[2] = {
    0x00000000e95c1271, 0x00000000910eeec1,
};

/* Moves the registers of streams of 1024 bytes behind two and one more. */
static const uint64_t crc32_merge_long[2] = {
    0x000000007b4aa8b7, 0x00000000bbf2f6d6,
};

/* Moves the registers of streams of 128 bytes behind two and one more. */
static const uint64_t crc32c_merge_short[2] = {
    0x00000000b9e02b86, 0x000000000d3b6092,
};

/* Moves the registers of streams of 1024 bytes behind two and one more. */
static const uint64_t crc32c_merge_long[2] = {
    0x00000000a51b6135, 0x00000000170076fa,
};

#endif
