/*
 * x86_64/crc32.h: CRC-32 by carry-less multiplication.
 *
 *   1 to 3 bytes    the tables of the portable code
 *   4 to 15         one register, its bytes at the end, and the final reduction
 *   16 to 127       four blocks of 16 into one, then the rest block by block
 *   128 and more    128 bytes a step into four registers of 32 (or eight of 16), those into one
 *   64 and more     with AVX-512 by registers of 64, see crc_fold_512.h
 *   4,096 and more  without AVX-512 three tenths of the input skip the multiplier, see below
 *
 * The chain from one call's result to the next call's is kept short: where it can, the register
 * that the caller hands in joins at the end, by one multiplication with a factor for the length.
 */
#pragma once

#include "cpu_features.h"
#include "crc_fold.h"
#include "crc_fold_512.h"

/*
 * The checksum of the message that ends with this block: two multiplications deep, see
 * final_quotients() in src/primitives/make-crc-constants. Inverts the result.
 */
CRC_INLINE CRC_SSE uint32_t crc32_final(__m128i block)
{
    const __m128i quotients = load_16(crc32_final_quotients);
    const __m128i factors = load_16(crc32_final_factors);
    __m128i quotient = fold_16(block, quotients);
    __m128i remainder =
        _mm_xor_si128(_mm_clmulepi64_si128(block, factors, 0x10), _mm_set_epi64x(0xffffffff, 0));
    remainder = _mm_xor_si128(remainder, _mm_clmulepi64_si128(quotient, factors, 0x00));
    return (uint32_t)_mm_cvtsi128_si32(_mm_unpackhi_epi64(remainder, remainder));
}

/*
 * The same with the multiplier busy: three multiplications instead of four, one behind the other.
 * The first half times K stands above 32 bits of the checksum, where the second half is already.
 */
CRC_INLINE CRC_SSE uint32_t crc32_final_long(__m128i block)
{
    const __m128i factors = load_16(crc32_final_factors);
    __m128i product = _mm_clmulepi64_si128(block, factors, 0x10);
    __m128i above = _mm_xor_si128(product, _mm_unpackhi_epi64(block, block));
    __m128i quotient = _mm_clmulepi64_si128(above, load_16(crc32_final_quotients), 0x10);
    __m128i remainder = _mm_xor_si128(product, _mm_clmulepi64_si128(quotient, factors, 0x00));
    return ~(uint32_t)_mm_cvtsi128_si32(_mm_unpackhi_epi64(remainder, remainder));
}

/* The place in a table of bytes, with the byte inverted before the register meets it. */
CRC_INLINE size_t crc32_index(uint32_t crc, uint8_t byte)
{
    uint32_t inverted = ~(uint32_t)byte;
    __asm__("" : "+r"(inverted));
    return (uint8_t)(crc ^ inverted);
}

/*
 * n < 4. Up to three look-ups side by side take half as long as the multiplications. The inversions
 * are in the bytes and in what is shifted in, so that neither waits for the register.
 */
CRC_INLINE uint32_t crc32_tiny(uint32_t crc, const uint8_t *p, size_t n)
{
    const uint32_t(*bytes)[256] = crc32_tables.bytes;
    if (__builtin_expect(n < 2, true))
        return n ? bytes[0][crc32_index(crc, p[0])] ^ (crc >> 8 | 0xff000000) : crc;
    if (n == 2)
        return bytes[1][crc32_index(crc, p[0])] ^ bytes[0][crc32_index(crc >> 8, p[1])] ^
               (crc >> 16 | 0xffff0000);
    return bytes[2][crc32_index(crc, p[0])] ^ bytes[1][crc32_index(crc >> 8, p[1])] ^
           bytes[0][crc32_index(crc >> 16, p[2])] ^ (crc >> 24 | 0xffffff00);
}

/* 4 <= n < 16. The message at the end of a block; zeros before it change nothing. */
CRC_INLINE CRC_SSE uint32_t crc32_one_block(uint32_t crc, const uint8_t *p, size_t n)
{
    const uint64_t start = ~crc;
    if (n < 8) {
        uint64_t bytes = *(const coldboost_u32 *)p | (uint64_t) * (const coldboost_u32 *)(p + n - 4)
                                                         << (8 * (n - 4));
        return crc32_final(_mm_set_epi64x((int64_t)((bytes ^ start) << (64 - 8 * n)), 0));
    }
    size_t more = 8 * (n - 8);
    uint64_t first = *(const coldboost_u64 *)p ^ start;
    uint64_t last = *(const coldboost_u64 *)(p + n - 8) ^ start >> more;
    /* In two steps: a shift by 64 is none. */
    return crc32_final(_mm_set_epi64x((int64_t)last, (int64_t)(first << (56 - more) << 8)));
}

/* n < 16. */
CRC_INLINE CRC_SSE uint32_t crc32_short(uint32_t crc, const uint8_t *p, size_t n)
{
    return n < 4 ? crc32_tiny(crc, p, n) : crc32_one_block(crc, p, n);
}

/* 16 <= n < 128. */
CRC_INLINE CRC_SSE uint32_t crc32_medium(uint32_t crc, const uint8_t *p, size_t n)
{
    __m128i start = _mm_cvtsi32_si128((int)crc);
    if (n >= 64)
        return crc32_final(
            fold_rest(fold_64_bytes(start, p, &crc32_factors), p + 64, n - 64, &crc32_factors));
    __m128i block = _mm_xor_si128(load_16(p), _mm_cvtsi32_si128(-1));
    return crc32_final(fold_rest(_mm_xor_si128(block, start), p + 16, n - 16, &crc32_factors));
}

/* 128 bytes a step: eight chains hide the multiplier's latency, up to 7 cycles on older CPUs. */
CRC_SSE static uint32_t crc32_x86_pclmul(uint32_t crc, const uint8_t *p, size_t n)
{
    if (n < 16)
        return crc32_short(crc, p, n);
    if (n < 128)
        return crc32_medium(crc, p, n);
    const __m128i by_128 = load_16(crc32_factors.by_128);
    __m128i a0 = _mm_xor_si128(load_16(p), _mm_cvtsi32_si128((int)~crc));
    __m128i a1 = load_16(p + 16), a2 = load_16(p + 32), a3 = load_16(p + 48);
    __m128i a4 = load_16(p + 64), a5 = load_16(p + 80), a6 = load_16(p + 96);
    __m128i a7 = load_16(p + 112);
    for (p += 128, n -= 128; n >= 128; p += 128, n -= 128) {
        a0 = _mm_xor_si128(fold_16(a0, by_128), load_16(p));
        a1 = _mm_xor_si128(fold_16(a1, by_128), load_16(p + 16));
        a2 = _mm_xor_si128(fold_16(a2, by_128), load_16(p + 32));
        a3 = _mm_xor_si128(fold_16(a3, by_128), load_16(p + 48));
        a4 = _mm_xor_si128(fold_16(a4, by_128), load_16(p + 64));
        a5 = _mm_xor_si128(fold_16(a5, by_128), load_16(p + 80));
        a6 = _mm_xor_si128(fold_16(a6, by_128), load_16(p + 96));
        a7 = _mm_xor_si128(fold_16(a7, by_128), load_16(p + 112));
    }
    a0 = _mm_xor_si128(fold_16(a0, load_16(crc32_factors.to_last[56])),
                       fold_16(a1, load_16(crc32_factors.to_last[57])));
    a2 = _mm_xor_si128(fold_16(a2, load_16(crc32_factors.to_last[58])),
                       fold_16(a3, load_16(crc32_factors.to_last[59])));
    a4 = _mm_xor_si128(fold_16(a4, load_16(crc32_factors.to_last[60])),
                       fold_16(a5, load_16(crc32_factors.to_last[61])));
    a6 = _mm_xor_si128(fold_16(a6, load_16(crc32_factors.to_last[62])), a7);
    a0 = _mm_xor_si128(_mm_xor_si128(a0, a2), _mm_xor_si128(a4, a6));
    return crc32_final_long(fold_rest(a0, p, n, &crc32_factors));
}

/*
 * Skipping the multiplier.
 *
 * P divides x^300 + x^155 + x^117 + x^89 + 1, and so also the same with every power times 64: in
 * units of 64-bit words, what stands at i may be taken out of the message if it is added at i +
 * 145, i + 183, i + 211 and i + 300 (the "Chorba" family, arXiv 2412.16398). That costs four
 * additions and no multiplication. Doing so to every word needs the sums written back; here only
 * the first 144 words of a period are taken out, so that no sum reaches what is taken out itself:
 * everything is read from the input and nothing is stored. The rest is folded as ever, with what
 * was taken out added as it is loaded. Multiplier, adders and load ports are then about equally
 * busy.
 */
/* From here on, loads that cross a line cost more than a head of its own. */
#define ALIGN_FROM 8192

#define PERIOD_BYTES  3968
#define SKIPPED_BYTES 1152

/*
 * 32 bytes of the period from `at` on, as far as they were taken out, else zeros. `at` is a
 * constant. Reads at most 31 bytes before the period: the caller folded them.
 */
CRC_INLINE __attribute__((target("avx2"))) __m256i crc32_taken_out(const uint8_t *p, int at)
{
    if (at <= -32 || at >= SKIPPED_BYTES)
        return _mm256_setzero_si256();
    __m256i words = load_32(p + at), none = _mm256_setzero_si256();
    if (at == -8)
        words = _mm256_blend_epi32(words, none, 0x03);
    if (at == -24)
        words = _mm256_blend_epi32(words, none, 0x3f);
    if (at == SKIPPED_BYTES - 24)
        words = _mm256_blend_epi32(words, none, 0xc0);
    if (at == SKIPPED_BYTES - 8)
        words = _mm256_blend_epi32(words, none, 0xfc);
    return words;
}

/*
 * 32 bytes of the period from `at` on, with what was taken out before them added. The sums at 183
 * and 211 words are seven registers apart and need the same words: they wait in `delay`.
 */
CRC_INLINE __attribute__((target("avx2"))) __m256i crc32_load_sum(const uint8_t *p, int at,
                                                                  __m256i delay[7])
{
    __m256i *waiting = &delay[at / 32 % 7], sum = load_32(p + at);
    sum = _mm256_xor_si256(sum, crc32_taken_out(p, at - 8 * 145));
    sum = _mm256_xor_si256(sum, *waiting);
    *waiting = crc32_taken_out(p, at - 8 * 183);
    /* Else gcc loads them twice after all. */
    if (at > 8 * 183 - 32 && at < 8 * 183 + SKIPPED_BYTES)
        __asm__("" : "+x"(*waiting));
    sum = _mm256_xor_si256(sum, *waiting);
    return _mm256_xor_si256(sum, crc32_taken_out(p, at - 8 * 300));
}

/* Folds 128 bytes from `at` on. */
CRC_INLINE CRC_AVX void crc32_fold_sums(__m256i a[4], const uint64_t factors[2], const uint8_t *p,
                                        int at, __m256i delay[7])
{
    const __m256i k = _mm256_broadcastsi128_si256(load_16(factors));
    a[0] = fold_32(a[0], k, crc32_load_sum(p, at, delay));
    a[1] = fold_32(a[1], k, crc32_load_sum(p, at + 32, delay));
    a[2] = fold_32(a[2], k, crc32_load_sum(p, at + 64, delay));
    a[3] = fold_32(a[3], k, crc32_load_sum(p, at + 96, delay));
}

/* One period; the four registers stand for the 128 bytes before p, then for its last 128. */
CRC_INLINE CRC_AVX void crc32_skip(__m256i a[4], const uint8_t *p)
{
    const __m256i none = _mm256_setzero_si256();
    __m256i delay[7] = {none, none, none, none, none, none, none};
    crc32_fold_sums(a, crc32_factors.by_period_gap, p, SKIPPED_BYTES, delay);
#define FOLD(at) crc32_fold_sums(a, crc32_factors.by_128, p, at, delay)
    FOLD(1280), FOLD(1408), FOLD(1536), FOLD(1664), FOLD(1792), FOLD(1920), FOLD(2048);
    FOLD(2176), FOLD(2304), FOLD(2432), FOLD(2560), FOLD(2688), FOLD(2816), FOLD(2944);
    FOLD(3072), FOLD(3200), FOLD(3328), FOLD(3456), FOLD(3584), FOLD(3712), FOLD(3840);
#undef FOLD
}

static crc_function crc32_x86_vpclmul;

/* n >= ALIGN_FROM. The bytes up to an aligned one as a message of their own. */
CRC_AVX __attribute__((noinline)) static uint32_t crc32_aligned(uint32_t crc, const uint8_t *p,
                                                                size_t n)
{
    size_t head = 32 - (uintptr_t)p % 32;
    return crc32_x86_vpclmul(crc32_x86_vpclmul(crc, p, head), p + head, n - head);
}

/* n >= 128. Apart, so that short messages do not set up the stack that this needs. */
CRC_AVX __attribute__((noinline)) static uint32_t crc32_long(uint32_t crc, const uint8_t *p,
                                                             size_t n)
{
    if (n >= ALIGN_FROM && (uintptr_t)p % 32)
        return crc32_aligned(crc, p, n);
    const size_t steps = n / 128;
    __m256i a[4];
    fold_begin(a, crc, p, steps, &crc32_factors);
    for (p += 128, n -= 128; n >= PERIOD_BYTES; p += PERIOD_BYTES, n -= PERIOD_BYTES)
        crc32_skip(a, p);
    return crc32_final_long(fold_end(a, crc, p, n, steps, &crc32_factors));
}

CRC_AVX static uint32_t crc32_x86_vpclmul(uint32_t crc, const uint8_t *p, size_t n)
{
    if (n < 16)
        return crc32_short(crc, p, n);
    if (n < 128)
        return crc32_medium(crc, p, n);
    return crc32_long(crc, p, n);
}

/* Apart, so that short messages do not save the registers that this needs. */
CRC_AVX512 __attribute__((noinline)) static uint32_t crc32_long_512(uint32_t crc, const uint8_t *p,
                                                                    size_t n)
{
    return crc32_final(fold_long(crc, p, n, &crc32_factors));
}

CRC_AVX512 __attribute__((aligned(64))) static uint32_t crc32_x86_avx512(uint32_t crc,
                                                                         const uint8_t *p, size_t n)
{
    /*
     * A jump taken is a good part of what a few bytes take: the longer ones have it. Each call is
     * compiled for its range: up to 31 bytes no more than the odd ones are left to ask about.
     */
    if (__builtin_expect_with_probability(n >= 64, false, 0.6))
        return n <= DIRECT_MOST ? crc32_final(fold_medium(crc, p, n, &crc32_factors))
                                : crc32_long_512(crc, p, n);
    if (__builtin_expect_with_probability(n >= 32, false, 0.6))
        return crc32_medium(crc, p, n);
    if (__builtin_expect_with_probability(n >= 16, false, 0.6))
        return crc32_medium(crc, p, n);
    return crc32_short(crc, p, n);
}

static crc_function *crc32_choose(uint32_t features)
{
    crc_function *chosen = crc32_portable;
    if (features & CPU_PCLMUL)
        chosen = crc32_x86_pclmul;
    if (features & CPU_PCLMUL && features & CPU_AVX2 && features & CPU_VPCLMULQDQ)
        chosen = crc32_x86_vpclmul;
    if (chosen == crc32_x86_vpclmul && features & CPU_AVX512 && features & CPU_AVX512VBMI)
        chosen = crc32_x86_avx512;
    return chosen;
}
