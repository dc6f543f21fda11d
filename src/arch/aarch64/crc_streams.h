/*
 * aarch64/crc_streams.h: both checksums, by the CRC32 instructions and by PMULL.
 *
 * The instructions take eight bytes, one a cycle, but each needs the last one's result two or three
 * cycles later; several streams hide that and a multiplication joins them. With PMULL other streams
 * of the same message are folded beside them, in another execution unit: see crc32c.h and
 * crc_fold.h of x86_64 for the method.
 *
 * Every function takes `castagnoli` as a constant: which of the two polynomials.
 */
#pragma once

#include "cpu_features.h"
#include "crc_factors.h"

#include <arm_neon.h>

#define STREAM_BYTES 320
#define PERIOD_BYTES 2560

/* Assembler, since the intrinsics want the whole file compiled for a CPU that has them. */
#define CRC_STEP(suffix)                                                                           \
    if (castagnoli)                                                                                \
        __asm__(".arch_extension crc\n\tcrc32c" suffix : "+r"(crc) : "r"(value));                  \
    else                                                                                           \
        __asm__(".arch_extension crc\n\tcrc32" suffix : "+r"(crc) : "r"(value));                   \
    return crc

CRC_INLINE uint32_t crc_8(uint32_t crc, uint64_t value, bool castagnoli)
{
    CRC_STEP("x %w0, %w0, %1");
}

CRC_INLINE uint32_t crc_4(uint32_t crc, uint32_t value, bool castagnoli)
{
    CRC_STEP("w %w0, %w0, %w1");
}

CRC_INLINE uint32_t crc_2(uint32_t crc, uint32_t value, bool castagnoli)
{
    CRC_STEP("h %w0, %w0, %w1");
}

CRC_INLINE uint32_t crc_1(uint32_t crc, uint32_t value, bool castagnoli)
{
    CRC_STEP("b %w0, %w0, %w1");
}

CRC_INLINE uint64_t get_8(const uint8_t *p)
{
    return *(const coldboost_u64 *)p;
}

/* The register is not inverted, here and below. */
CRC_INLINE uint32_t crc_serial(uint32_t crc, const uint8_t *p, size_t n, bool castagnoli)
{
    for (; n >= 16; p += 16, n -= 16) {
        crc = crc_8(crc, get_8(p), castagnoli);
        crc = crc_8(crc, get_8(p + 8), castagnoli);
    }
    if (n & 8) {
        crc = crc_8(crc, get_8(p), castagnoli);
        p += 8;
    }
    if (n & 4) {
        crc = crc_4(crc, *(const coldboost_u32 *)p, castagnoli);
        p += 4;
    }
    if (n & 2) {
        crc = crc_2(crc, *(const coldboost_u16 *)p, castagnoli);
        p += 2;
    }
    if (n & 1)
        crc = crc_1(crc, *p, castagnoli);
    return crc;
}

/* The carry-less product of two 32-bit factors without PMULL: some hundred instructions. */
CRC_INLINE uint64_t multiply_slowly(uint32_t a, uint64_t b)
{
    uint64_t product = 0;
    for (int bit = 0; bit < 32; bit++)
        product ^= b << bit & (0 - (uint64_t)(a >> bit & 1));
    return product;
}

CRC_INLINE uint64x2_t multiply_first(uint64x2_t a, uint64x2_t b)
{
    uint64x2_t product;
    __asm__(".arch_extension aes\n\tpmull %0.1q, %1.1d, %2.1d" : "=w"(product) : "w"(a), "w"(b));
    return product;
}

CRC_INLINE uint64x2_t multiply_second(uint64x2_t a, uint64x2_t b)
{
    uint64x2_t product;
    __asm__(".arch_extension aes\n\tpmull2 %0.1q, %1.2d, %2.2d" : "=w"(product) : "w"(a), "w"(b));
    return product;
}

CRC_INLINE uint64x2_t multiply_register(uint32_t crc, uint64_t factor)
{
    return multiply_first(vcombine_u64(vcreate_u64(crc), vcreate_u64(0)),
                          vcombine_u64(vcreate_u64(factor), vcreate_u64(0)));
}

/* Three streams of `bytes` bytes one behind the other, and the register before them. */
CRC_INLINE uint32_t crc_streams(uint32_t crc, const uint8_t *p, size_t bytes,
                                const uint64_t factors[2], bool castagnoli, bool pmull)
{
    uint32_t second = 0, third = 0;
    for (size_t i = 0; i < bytes; i += 16) {
        crc = crc_8(crc, get_8(p + i), castagnoli);
        second = crc_8(second, get_8(p + bytes + i), castagnoli);
        third = crc_8(third, get_8(p + 2 * bytes + i), castagnoli);
        crc = crc_8(crc, get_8(p + i + 8), castagnoli);
        second = crc_8(second, get_8(p + bytes + i + 8), castagnoli);
        third = crc_8(third, get_8(p + 2 * bytes + i + 8), castagnoli);
    }
    uint64_t product;
    if (pmull)
        product = vgetq_lane_u64(
            veorq_u64(multiply_register(crc, factors[0]), multiply_register(second, factors[1])),
            0);
    else
        product = multiply_slowly(crc, factors[0]) ^ multiply_slowly(second, factors[1]);
    return third ^ crc_8(0, product, castagnoli);
}

CRC_INLINE uint64x2_t get_16(const void *p)
{
    return vreinterpretq_u64_u8(vld1q_u8(p));
}

CRC_INLINE uint64x2_t fold(uint64x2_t block, uint64x2_t factors, uint64x2_t data)
{
    return veorq_u64(veorq_u64(data, multiply_first(block, factors)),
                     multiply_second(block, factors));
}

/*
 * Four streams of 320 bytes, then as many bytes that are folded meanwhile. The four registers stand
 * for the 64 bytes before p, then for the last 64 of the period. The streams begin at zero, so that
 * a period waits for nothing; their results join the folded registers.
 */
CRC_INLINE void crc_fuse(uint64x2_t a[4], const uint8_t *p, const struct crc_factors *f,
                         bool castagnoli)
{
    const uint64x2_t by_64 = get_16(f->by_64);
    uint64x2_t factors = get_16(f->by_period_gap);
    const uint8_t *folded = p + 4 * STREAM_BYTES;
    uint32_t crc[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < STREAM_BYTES; i += 16, folded += 64) {
        for (size_t k = 0; k < 4; k++) {
            const uint8_t *stream = p + i + k * STREAM_BYTES;
            a[k] = fold(a[k], factors, get_16(folded + 16 * k));
            crc[k] = crc_8(crc[k], get_8(stream), castagnoli);
            crc[k] = crc_8(crc[k], get_8(stream + 8), castagnoli);
        }
        factors = by_64;
    }
    for (size_t k = 0; k < 4; k++)
        a[3] = veorq_u64(a[3], multiply_register(crc[k], f->stream[k]));
}

/* As many periods as there are; *p and *n move behind them. */
CRC_INLINE uint32_t crc_periods(uint32_t crc, const uint8_t **p, size_t *n,
                                const struct crc_factors *f, bool castagnoli)
{
    const uint64x2_t start = vcombine_u64(vcreate_u64(crc), vcreate_u64(0));
    uint64x2_t a[4] = {veorq_u64(get_16(*p), start), get_16(*p + 16), get_16(*p + 32),
                       get_16(*p + 48)};
    for (*p += 64, *n -= 64; *n >= PERIOD_BYTES; *p += PERIOD_BYTES, *n -= PERIOD_BYTES)
        crc_fuse(a, *p, f, castagnoli);
    a[3] = fold(a[0], get_16(f->by_48), a[3]);
    a[3] = fold(a[1], get_16(f->by_32), a[3]);
    a[3] = fold(a[2], get_16(f->by_16), a[3]);
    crc = crc_8(0, vgetq_lane_u64(a[3], 0), castagnoli);
    return crc_8(crc, vgetq_lane_u64(a[3], 1), castagnoli);
}

CRC_INLINE uint32_t crc_any(uint32_t crc, const uint8_t *p, size_t n, const struct crc_factors *f,
                            bool castagnoli, bool pmull)
{
    crc = ~crc;
    if (pmull && n >= 64 + PERIOD_BYTES)
        crc = crc_periods(crc, &p, &n, f, castagnoli);
    for (; n >= 3 * 1024; p += 3 * 1024, n -= 3 * 1024)
        crc = crc_streams(crc, p, 1024, f->merge_long, castagnoli, pmull);
    for (; pmull && n >= 3 * 128; p += 3 * 128, n -= 3 * 128)
        crc = crc_streams(crc, p, 128, f->merge_short, castagnoli, pmull);
    return ~crc_serial(crc, p, n, castagnoli);
}

CRC_INLINE crc_function *crc_choose(uint32_t features, crc_function *portable, crc_function *by_crc,
                                    crc_function *by_crc_and_pmull)
{
    if (!(features & CPU_CRC32))
        return portable;
    return features & CPU_PMULL ? by_crc_and_pmull : by_crc;
}
