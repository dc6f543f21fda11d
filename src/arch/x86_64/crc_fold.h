/*
 * x86_64/crc_fold.h: the carry-less multiplications that both checksums share.
 *
 * A block of 16 (or twice 16) bytes stands for a polynomial; the block that lies d bytes further on
 * may take its place if the first is multiplied by x^(8d) modulo P and added: "folding" (Gopal et
 * al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009).
 */
#pragma once

#include "crc_factors.h"

#include <immintrin.h>
#include <stdint.h>

#define CRC_SSE __attribute__((target("pclmul")))
#define CRC_AVX __attribute__((target("pclmul,avx2,vpclmulqdq")))

CRC_INLINE __m128i load_16(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

CRC_INLINE CRC_SSE __m128i fold_16(__m128i block, __m128i factors)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(block, factors, 0x00),
                         _mm_clmulepi64_si128(block, factors, 0x11));
}

CRC_INLINE __attribute__((target("avx2"))) __m256i load_32(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* The data first: of the three terms the two products come last. */
CRC_INLINE CRC_AVX __m256i fold_32(__m256i block, __m256i factors, __m256i data)
{
    return _mm256_xor_si256(_mm256_xor_si256(data, _mm256_clmulepi64_epi128(block, factors, 0x00)),
                            _mm256_clmulepi64_epi128(block, factors, 0x11));
}

/* 64 bytes and the register before them in a block, which stands for the last 16. */
CRC_INLINE CRC_SSE __m128i fold_64_bytes(__m128i crc, const uint8_t *p, const struct crc_factors *f)
{
    const __m128i by_48 = load_16(f->by_48), inverted = _mm_cvtsi32_si128(-1);
    __m128i first = fold_16(_mm_xor_si128(load_16(p), inverted), by_48);
    __m128i second = fold_16(load_16(p + 16), load_16(f->by_32));
    __m128i third = fold_16(load_16(p + 32), load_16(f->by_16));
    __m128i sum =
        _mm_xor_si128(_mm_xor_si128(first, second), _mm_xor_si128(third, load_16(p + 48)));
    return _mm_xor_si128(sum, _mm_clmulepi64_si128(crc, by_48, 0x00));
}

/* n < 128 more bytes behind the block; at least 16 before them are the caller's too. */
CRC_INLINE CRC_SSE __m128i fold_rest(__m128i block, const uint8_t *p, size_t n,
                                     const struct crc_factors *f)
{
    static const uint8_t keep_last[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255,
                                          255,        255, 255, 255, 255, 255, 255, 255};
    const __m128i by_16 = load_16(f->by_16), by_32 = load_16(f->by_32);
    if (n & 64) {
        __m128i first = fold_16(load_16(p), load_16(f->by_48));
        __m128i second = fold_16(load_16(p + 16), by_32);
        __m128i third = fold_16(load_16(p + 32), by_16);
        __m128i rest =
            _mm_xor_si128(_mm_xor_si128(first, second), _mm_xor_si128(third, load_16(p + 48)));
        block = _mm_xor_si128(fold_16(block, load_16(f->by_64)), rest);
        p += 64;
    }
    if (n & 32) {
        __m128i rest = _mm_xor_si128(fold_16(load_16(p), by_16), load_16(p + 16));
        block = _mm_xor_si128(fold_16(block, by_32), rest);
        p += 32;
    }
    if (n & 16) {
        block = _mm_xor_si128(fold_16(block, by_16), load_16(p));
        p += 16;
    }
    n &= 15;
    if (n) {
        __m128i last = _mm_and_si128(load_16(p + n - 16), load_16(keep_last + n));
        block = _mm_xor_si128(fold_16(block, load_16(f->by_bytes[n])), last);
    }
    return block;
}

/* 128 bytes in four registers into the place of their last 16. */
CRC_INLINE CRC_AVX __m128i fold_gather(const __m256i a[4], const struct crc_factors *f)
{
    const __m256i third = load_32(f->to_last[60]);
    __m256i even =
        fold_32(a[0], load_32(f->to_last[56]), _mm256_clmulepi64_epi128(a[2], third, 0x00));
    __m256i odd =
        fold_32(a[1], load_32(f->to_last[58]), _mm256_clmulepi64_epi128(a[2], third, 0x11));
    __m256i sum = fold_32(a[3], load_32(f->to_last[62]), _mm256_xor_si256(even, odd));
    return _mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

/* The register before 64 k bytes, in the first half of the block that stands for the last 16. */
CRC_INLINE CRC_SSE __m128i fold_inject(__m128i crc, size_t k, const struct crc_factors *f)
{
    return _mm_clmulepi64_si128(crc, _mm_loadu_si32(&f->inject[k]), 0x00);
}

CRC_INLINE bool can_inject(size_t k, const struct crc_factors *f)
{
    return __builtin_expect(k < sizeof f->inject / sizeof *f->inject, true);
}

/* 128 more bytes a step behind the four registers; leaves n < 128. */
CRC_INLINE CRC_AVX void fold_steps(__m256i a[4], const uint8_t **p, size_t *n,
                                   const struct crc_factors *f)
{
    const __m256i by_128 = _mm256_broadcastsi128_si256(load_16(f->by_128));
    for (; *n >= 128; *p += 128, *n -= 128) {
        a[0] = fold_32(a[0], by_128, load_32(*p));
        a[1] = fold_32(a[1], by_128, load_32(*p + 32));
        a[2] = fold_32(a[2], by_128, load_32(*p + 64));
        a[3] = fold_32(a[3], by_128, load_32(*p + 96));
    }
}

/*
 * A message of at least 128 bytes by four registers of 32. fold_begin() takes its first 128; the
 * caller may fold in more; fold_end() does the rest, p and n, and returns the message in the place
 * of its last 16 bytes.
 */
CRC_INLINE CRC_AVX void fold_begin(__m256i a[4], uint32_t crc, const uint8_t *message, size_t steps,
                                   const struct crc_factors *f)
{
    const __m256i inverted = _mm256_zextsi128_si256(_mm_cvtsi32_si128(-1));
    a[0] = _mm256_xor_si256(load_32(message), inverted);
    a[1] = load_32(message + 32);
    a[2] = load_32(message + 64);
    a[3] = load_32(message + 96);
    if (!can_inject(2 * steps, f))
        a[0] = _mm256_xor_si256(a[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)crc)));
}

CRC_INLINE CRC_AVX __m128i fold_end(__m256i a[4], uint32_t crc, const uint8_t *p, size_t n,
                                    size_t steps, const struct crc_factors *f)
{
    fold_steps(a, &p, &n, f);
    __m128i block = fold_gather(a, f);
    if (can_inject(2 * steps, f))
        block = _mm_xor_si128(block, fold_inject(_mm_cvtsi32_si128((int)crc), 2 * steps, f));
    return fold_rest(block, p, n, f);
}
