/*
 * x86_64/crc_fold.h: the carry-less multiplications that both checksums share.
 *
 * A block of 16 (or twice 16) bytes stands for a polynomial; the block that lies d bytes further on
 * may take its place if the first is multiplied by x^(8d) modulo P and added: "folding" (Gopal et
 * al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009).
 */
#ifndef CB_ARCH_CRC_FOLD_H
#define CB_ARCH_CRC_FOLD_H

#include <immintrin.h>
#include <stdint.h>

#define CRC_INLINE static inline __attribute__((always_inline))
#define CRC_SSE    __attribute__((target("pclmul")))
#define CRC_AVX    __attribute__((target("pclmul,avx2,vpclmulqdq")))

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

#endif
