/*
 * crc.h: what CRC-32 and CRC-32C share: everything but the polynomial.
 *
 * The message is a polynomial M over GF(2), its first bit the highest power; the checksum is
 * M * x^32 modulo P, with the first 32 bits of M and the result inverted. Bits are reflected: the
 * lowest bit of a byte is its highest power.
 *
 * Portable: eight bytes a step, one table look-up a byte, all independent (Sarwate's tables, sliced
 * as by Kounavis and Berry). Each function takes the tables of one polynomial as a constant.
 *
 * Must never read a byte that the caller did not hand over.
 */
#pragma once

#include "crc_tables.h" /* made by make-crc-constants, as crc_factors.h is */

#include <stddef.h>
#include <stdint.h>

#define CRC_INLINE static inline __attribute__((always_inline))

typedef uint32_t crc_function(uint32_t crc, const uint8_t *p, size_t n);

CRC_INLINE uint32_t crc_by_tables(uint32_t crc, const uint8_t *p, size_t n,
                                  const struct crc_tables *tables)
{
    const uint32_t(*bytes)[256] = tables->bytes;
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        crc = bytes[7][(crc ^ p[0]) & 0xff] ^ bytes[6][(crc >> 8 ^ p[1]) & 0xff] ^
              bytes[5][(crc >> 16 ^ p[2]) & 0xff] ^ bytes[4][crc >> 24 ^ p[3]] ^ bytes[3][p[4]] ^
              bytes[2][p[5]] ^ bytes[1][p[6]] ^ bytes[0][p[7]];
    }
    for (; n; p++, n--)
        crc = crc >> 8 ^ bytes[0][(crc ^ *p) & 0xff];
    return ~crc;
}

/* a * b modulo P, all reflected: bit 31 stands for x^0. */
CRC_INLINE uint32_t crc_multiply(uint32_t a, uint32_t b, const struct crc_tables *tables)
{
    uint32_t product = 0;
    for (; a; a <<= 1) {
        product ^= b & (0u - (a >> 31));
        b = b >> 1 ^ (tables->polynomial & (0u - (b & 1)));
    }
    return product;
}

/* A followed by B is A * x^(8 * length_b) + B; the two inversions cancel out. */
CRC_INLINE uint32_t crc_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b,
                                const struct crc_tables *tables)
{
    for (int k = 0; length_b; k = k + 1 < tables->period ? k + 1 : 0, length_b >>= 1)
        if (length_b & 1)
            crc_a = crc_multiply(tables->x_to_8_2k[k], crc_a, tables);
    return crc_a ^ crc_b;
}
