/*
 * crc_factors.h: made by src/primitives/make-crc-constants. Do not edit.
 */
/* clang-format off */
#ifndef CB_ARCH_AARCH64_CRC_FACTORS_H
#define CB_ARCH_AARCH64_CRC_FACTORS_H

#include <stdint.h>

/* Pairs: what the first and the second half of a 16-byte block are multiplied by. */
struct crc_factors {
    uint64_t by_16[2], by_32[2], by_48[2], by_64[2];
    uint64_t by_period_gap[2]; /* from the 64 bytes before the streams, behind them */
    uint64_t stream[4];        /* [i]: moves the register of stream i to the last 16 bytes */
    uint64_t merge_long[2];    /* moves the registers of three streams behind two, and one, more */
    uint64_t merge_short[2];
};

static const struct crc_factors crc32_factors = {
    .by_16 = {0x65673b4600000000, 0x9ba54c6f00000000},
    .by_32 = {0x9570d49500000000, 0x01b5fd1d00000000},
    .by_48 = {0x69ccfc0d00000000, 0x2a28386200000000},
    .by_64 = {0x653d982200000000, 0xcad38e8f00000000},
    .by_period_gap = {0xf7457f3d00000000, 0xad87973800000000},
    .stream = {0xa29f227b00000000, 0x3a16fe2d00000000, 0x3b68499b00000000, 0x4cbbbf5800000000},
    .merge_long = {0x000000007b4aa8b7, 0x00000000bbf2f6d6},
    .merge_short = {0x00000000e95c1271, 0x00000000910eeec1},
};

static const struct crc_factors crc32c_factors = {
    .by_16 = {0x3743f7bd00000000, 0x3171d43000000000},
    .by_32 = {0x33ccbbbc00000000, 0xa2158b3400000000},
    .by_48 = {0xa46ef4aa00000000, 0x6051243f00000000},
    .by_64 = {0x1c19243b00000000, 0x75bba45b00000000},
    .by_period_gap = {0x7a0dd8bc00000000, 0xa1097d4700000000},
    .stream = {0xddf8a26e00000000, 0x5cdff3f600000000, 0x200417e300000000, 0xbd77c2cf00000000},
    .merge_long = {0x00000000a51b6135, 0x00000000170076fa},
    .merge_short = {0x00000000b9e02b86, 0x000000000d3b6092},
};

#endif
