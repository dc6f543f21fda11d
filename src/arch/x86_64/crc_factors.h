/*
 * crc_factors.h: made by tools/make-crc-constants. Do not edit.
 */
/* clang-format off */
#ifndef CB_ARCH_X86_64_CRC_FACTORS_H
#define CB_ARCH_X86_64_CRC_FACTORS_H

#include <stdint.h>

/* Pairs: what the first and the second half of a 16-byte block are multiplied by. */
struct crc_factors {
    uint64_t by_bytes[16][2]; /* [d]: moves a block on by d bytes */
    uint64_t by_16[2], by_32[2], by_48[2], by_64[2], by_128[2];
    uint64_t by_period_gap[2]; /* from the 128 bytes before what a period passes over, behind it */
    uint64_t to_last[8][2];    /* [i]: moves block i of eight to the place of the last */
    uint64_t inject[33];       /* [k]: moves the register before 128 k bytes to the last 16 */
};

static const struct crc_factors crc32_factors = {
    .by_bytes = {
        {
            0xb8bc676500000000, 0xdb71064100000000,
        },
        {
            0x3d6029b000000000, 0x0100000000000000,
        },
        {
            0xcb5cd3a500000000, 0x0001000000000000,
        },
        {
            0xa6770bb400000000, 0x0000010000000000,
        },
        {
            0xccaa009e00000000, 0x0000000100000000,
        },
        {
            0x177b144300000000, 0x7707309600000000,
        },
        {
            0xefc26b3e00000000, 0x191b314100000000,
        },
        {
            0xc18edfc000000000, 0x01c26a3700000000,
        },
        {
            0x9ba54c6f00000000, 0xb8bc676500000000,
        },
        {
            0xdd96d98500000000, 0x3d6029b000000000,
        },
        {
            0x9d0fe17600000000, 0xcb5cd3a500000000,
        },
        {
            0xb9fbdbe800000000, 0xa6770bb400000000,
        },
        {
            0xae68919100000000, 0xccaa009e00000000,
        },
        {
            0x87a6cb4300000000, 0x177b144300000000,
        },
        {
            0xef52b6e100000000, 0xefc26b3e00000000,
        },
        {
            0xd7e2805800000000, 0xc18edfc000000000,
        },
    },
    .by_16 = {
        0x65673b4600000000, 0x9ba54c6f00000000,
    },
    .by_32 = {
        0x9570d49500000000, 0x01b5fd1d00000000,
    },
    .by_48 = {
        0x69ccfc0d00000000, 0x2a28386200000000,
    },
    .by_64 = {
        0x653d982200000000, 0xcad38e8f00000000,
    },
    .by_128 = {
        0x7d657a1000000000, 0x7406fa9500000000,
    },
    .by_period_gap = {
        0x2d487d3700000000, 0xbdf081c400000000,
    },
    .to_last = {
        {
            0x019866e800000000, 0xc64ac0b800000000,
        },
        {
            0x759fc69d00000000, 0x101a233100000000,
        },
        {
            0x5a03a0cf00000000, 0x8e42b13e00000000,
        },
        {
            0x653d982200000000, 0xcad38e8f00000000,
        },
        {
            0x69ccfc0d00000000, 0x2a28386200000000,
        },
        {
            0x9570d49500000000, 0x01b5fd1d00000000,
        },
        {
            0x65673b4600000000, 0x9ba54c6f00000000,
        },
        {
            0xb8bc676500000000, 0xdb71064100000000,
        },
    },
    .inject = {
        0x5d37681600000000, 0x019866e800000000, 0x27d0443c00000000, 0x0149f5ee00000000,
        0xe57be23c00000000, 0x114e6b6100000000, 0x4e06ac2200000000, 0xd9b94c6300000000,
        0x3afb819b00000000, 0x5610530900000000, 0x4cbbbf5800000000, 0x83499a4000000000,
        0x86bb7e0c00000000, 0x8619a74100000000, 0xa12ba37f00000000, 0x3a16fe2d00000000,
        0xc2efa36500000000, 0x1dd2abf400000000, 0x95e493e200000000, 0xb9ef201a00000000,
        0x8f03ae9d00000000, 0x04d2be2100000000, 0x7a99e31200000000, 0xec72664a00000000,
        0xdd29f59300000000, 0x4fc746bf00000000, 0xf45e410000000000, 0x8eaea31f00000000,
        0xed33196c00000000, 0x2ca02f0a00000000, 0x9d92b48500000000, 0xf137c2ce00000000,
        0x851b324e00000000,
    },
};

static const struct crc_factors crc32c_factors = {
    .by_bytes = {
        {
            0xdd45aab800000000, 0x05ec76f100000000,
        },
        {
            0x38116fac00000000, 0x0100000000000000,
        },
        {
            0xef306b1900000000, 0x0001000000000000,
        },
        {
            0x68032cc800000000, 0x0000010000000000,
        },
        {
            0x493c7d2700000000, 0x0000000100000000,
        },
        {
            0xf43ed64800000000, 0xf26b830300000000,
        },
        {
            0xcb567ba500000000, 0x13a2987700000000,
        },
        {
            0x9771f7c100000000, 0xa541927e00000000,
        },
        {
            0x3171d43000000000, 0xdd45aab800000000,
        },
        {
            0x30d2386500000000, 0x38116fac00000000,
        },
        {
            0x5407554600000000, 0xef306b1900000000,
        },
        {
            0x678efd0100000000, 0x68032cc800000000,
        },
        {
            0xf20c0dfe00000000, 0x493c7d2700000000,
        },
        {
            0x5fe4dc5f00000000, 0xf43ed64800000000,
        },
        {
            0x0f69022b00000000, 0xcb567ba500000000,
        },
        {
            0xb93b4ce700000000, 0x9771f7c100000000,
        },
    },
    .by_16 = {
        0x3743f7bd00000000, 0x3171d43000000000,
    },
    .by_32 = {
        0x33ccbbbc00000000, 0xa2158b3400000000,
    },
    .by_48 = {
        0xa46ef4aa00000000, 0x6051243f00000000,
    },
    .by_64 = {
        0x1c19243b00000000, 0x75bba45b00000000,
    },
    .by_128 = {
        0x6577b24500000000, 0x7417153f00000000,
    },
    .by_period_gap = {
        0x1406ea5900000000, 0xd3855e1200000000,
    },
    .to_last = {
        {
            0x169472b600000000, 0x963e61cd00000000,
        },
        {
            0xc92f998d00000000, 0x3365346a00000000,
        },
        {
            0x1c42da4300000000, 0x6d883e3800000000,
        },
        {
            0x1c19243b00000000, 0x75bba45b00000000,
        },
        {
            0xa46ef4aa00000000, 0x6051243f00000000,
        },
        {
            0x33ccbbbc00000000, 0xa2158b3400000000,
        },
        {
            0x3743f7bd00000000, 0x3171d43000000000,
        },
        {
            0xdd45aab800000000, 0x05ec76f100000000,
        },
    },
    .inject = {
        0xc915ea3b00000000, 0x169472b600000000, 0xce93766100000000, 0xf331dfab00000000,
        0x75c7fca700000000, 0xb41cbe7b00000000, 0x04eb568800000000, 0x7799741500000000,
        0x845dd03d00000000, 0xd1d4955d00000000, 0xbd77c2cf00000000, 0xf4ea73e200000000,
        0xc9c5395e00000000, 0x233e21fe00000000, 0xe651eb6200000000, 0x5cdff3f600000000,
        0x0929e60d00000000, 0xbd6596f800000000, 0x80cab3d300000000, 0xbc51698500000000,
        0x5370837900000000, 0xfa61e0e000000000, 0xd21d4e9100000000, 0x725a1dda00000000,
        0xdce1cabb00000000, 0x7914315800000000, 0x8d88e13e00000000, 0x56ada99000000000,
        0xf6d1155300000000, 0xacfa1d2000000000, 0x543e4ab100000000, 0xc1b5c9ef00000000,
        0x8fc9e4a300000000,
    },
};

/* From the last block to the quotient, for its first and second half. */
static const uint64_t crc32_final_quotients[2] = {
    0xe8f6c5afc0be831e, 0xb4e5b025f7011641,
};

/* From the quotient, and the first half, to the checksum. */
static const uint64_t crc32_final_factors[2] = {
    0x00000001db710641, 0x00000000ccaa009e,
};

/* [i]: moves the register of stream i to the last 32 bytes of the period. */
static const uint64_t crc32c_stream_factors[4] = {
    0xada701b800000000, 0xc1dbd38c00000000, 0xa33b6cca00000000, 0x800aacb800000000,
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
