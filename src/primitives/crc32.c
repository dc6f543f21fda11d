/*
 * crc32.c: CRC-32 (IEEE), the checksum of zlib, gzip, PNG and Ethernet.
 *
 * The message is a polynomial M over GF(2), its first bit the highest power; the checksum is
 * M * x^32 modulo P = 0x104C11DB7, with the first 32 bits of M and the result inverted. Bits are
 * reflected: the lowest bit of a byte is its highest power.
 *
 * Portable: eight bytes a step, one table look-up a byte, all independent (Sarwate's tables, sliced
 * as by Kounavis and Berry). The variants are in src/arch/.../crc32.h.
 *
 * Must never read a byte that the caller did not hand over.
 */
#include "coldboost.h"
#include "primitives/cpu.h"
#include "primitives/crc32_constants.h"

typedef uint32_t crc32_function(uint32_t crc, const uint8_t *p, size_t n);

static uint32_t crc32_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        crc = crc32_bytes[7][(crc ^ p[0]) & 0xff] ^ crc32_bytes[6][(crc >> 8 ^ p[1]) & 0xff] ^
              crc32_bytes[5][(crc >> 16 ^ p[2]) & 0xff] ^ crc32_bytes[4][crc >> 24 ^ p[3]] ^
              crc32_bytes[3][p[4]] ^ crc32_bytes[2][p[5]] ^ crc32_bytes[1][p[6]] ^
              crc32_bytes[0][p[7]];
    }
    for (; n; p++, n--)
        crc = crc >> 8 ^ crc32_bytes[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#include "crc32.h"

static crc32_function crc32_first_call;
static crc32_function *crc32_kernel = crc32_first_call;

/* To ask the CPU may take as long as the tables do for so many bytes. */
#define CHOOSE_FROM_BYTES (32u << 10)

/* Chooses the kernel, once it is worth it. Two threads may both get here; they choose the same. */
static uint32_t crc32_first_call(uint32_t crc, const uint8_t *p, size_t n)
{
    static size_t bytes;
    if (n < CHOOSE_FROM_BYTES &&
        __atomic_add_fetch(&bytes, n, __ATOMIC_RELAXED) < CHOOSE_FROM_BYTES)
        return crc32_portable(crc, p, n);
    crc32_function *chosen = crc32_choose(cpu_features());
    __atomic_store_n(&crc32_kernel, chosen, __ATOMIC_RELAXED);
    return chosen(crc, p, n);
}

uint32_t coldboost_crc32_update(uint32_t crc, const void *data, size_t n)
{
    return __atomic_load_n(&crc32_kernel, __ATOMIC_RELAXED)(crc, data, n);
}

uint32_t hardware_crc32(const void *data, size_t n)
{
    return __atomic_load_n(&crc32_kernel, __ATOMIC_RELAXED)(0, data, n);
}

uint32_t coldboost_telemetry_checksum(const void *data, size_t n)
{
    return __atomic_load_n(&crc32_kernel, __ATOMIC_RELAXED)(0, data, n);
}

/* a * b modulo P, all reflected: bit 31 stands for x^0. */
static uint32_t multiply_modulo_p(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (; a; a <<= 1) {
        product ^= b & (0u - (a >> 31));
        b = b >> 1 ^ (0xedb88320u & (0u - (b & 1)));
    }
    return product;
}

/* A followed by B is A * x^(8 * length_b) + B; the two inversions cancel out. */
uint32_t coldboost_crc32_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    for (int k = 0; length_b; k++, length_b >>= 1)
        if (length_b & 1)
            crc_a = multiply_modulo_p(crc32_x_to_8_2k[k], crc_a);
    return crc_a ^ crc_b;
}
