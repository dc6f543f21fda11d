/*
 * crc32c.c: CRC-32C (Castagnoli), the checksum of iSCSI, SCTP, ext4 and btrfs.
 *
 * As crc32.c, with P = 0x11EDC6F41, for which x86 (SSE4.2) and aarch64 have an instruction.
 *
 * Must never read a byte that the caller did not hand over.
 */
#include "coldboost.h"
#include "primitives/cpu.h"
#include "primitives/crc32c_constants.h"

typedef uint32_t crc32c_function(uint32_t crc, const uint8_t *p, size_t n);

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        crc = crc32c_bytes[7][(crc ^ p[0]) & 0xff] ^ crc32c_bytes[6][(crc >> 8 ^ p[1]) & 0xff] ^
              crc32c_bytes[5][(crc >> 16 ^ p[2]) & 0xff] ^ crc32c_bytes[4][crc >> 24 ^ p[3]] ^
              crc32c_bytes[3][p[4]] ^ crc32c_bytes[2][p[5]] ^ crc32c_bytes[1][p[6]] ^
              crc32c_bytes[0][p[7]];
    }
    for (; n; p++, n--)
        crc = crc >> 8 ^ crc32c_bytes[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#include "crc32c.h"

static crc32c_function crc32c_first_call;
static crc32c_function *crc32c_kernel = crc32c_first_call;

/* Chooses the kernel, once. Two threads may both get here; they choose the same. */
static uint32_t crc32c_first_call(uint32_t crc, const uint8_t *p, size_t n)
{
    crc32c_function *chosen = crc32c_choose(cpu_features());
    __atomic_store_n(&crc32c_kernel, chosen, __ATOMIC_RELAXED);
    return chosen(crc, p, n);
}

uint32_t coldboost_crc32c_update(uint32_t crc, const void *data, size_t n)
{
    return __atomic_load_n(&crc32c_kernel, __ATOMIC_RELAXED)(crc, data, n);
}

uint32_t coldboost_crc32c(const void *data, size_t n)
{
    return __atomic_load_n(&crc32c_kernel, __ATOMIC_RELAXED)(0, data, n);
}

/* a * b modulo P, all reflected: bit 31 stands for x^0. */
static uint32_t multiply_modulo_p(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (; a; a <<= 1) {
        product ^= b & (0u - (a >> 31));
        b = b >> 1 ^ (0x82f63b78u & (0u - (b & 1)));
    }
    return product;
}

/* A followed by B is A * x^(8 * length_b) + B; the two inversions cancel out. */
uint32_t coldboost_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    for (int k = 0; length_b; k++, length_b >>= 1)
        if (length_b & 1)
            crc_a = multiply_modulo_p(crc32c_x_to_8_2k[k], crc_a);
    return crc_a ^ crc_b;
}
