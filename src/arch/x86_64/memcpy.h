/*
 * x86_64/memcpy.h: copies by registers of 32 bytes.
 *
 *   129 to 256 bytes  eight registers, of which the last overlap
 *   more              128 bytes a step, stored at aligned addresses; the first 32 bytes make up for
 *                     the misalignment, and the last 128 are copied wherever they lie
 *   4,096 and more    rep movsb where that is fast: it does not read what it overwrites
 */
#ifndef CB_ARCH_MEMCPY_H
#define CB_ARCH_MEMCPY_H

#include "cpu_features.h"

#include <immintrin.h>

#define MEMCPY_AVX2 __attribute__((target("avx2")))

INLINE MEMCPY_AVX2 __m256i get_32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE MEMCPY_AVX2 void put_32(uint8_t *p, __m256i value)
{
    _mm256_storeu_si256((__m256i *)(void *)p, value);
}

/* From this size on rep movsb pays for its start. */
#define REP_FROM 4096

/* n > 128. */
INLINE MEMCPY_AVX2 void *memcpy_by_32(void *restrict dst, const void *restrict src, size_t n,
                                      bool rep_is_fast)
{
    uint8_t *d = dst, *d_end = d + n;
    const uint8_t *s = src, *s_end = s + n;
    __m256i a = get_32(s), b = get_32(s + 32);
    if (rep_is_fast && n >= REP_FROM) {
        /* Its destination aligned to a line. */
        size_t skip = 64 - (uintptr_t)d % 64;
        put_32(d, a);
        put_32(d + 32, b);
        d += skip;
        s += skip;
        n -= skip;
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
        return dst;
    }
    __m256i w = get_32(s_end - 128), x = get_32(s_end - 96);
    __m256i y = get_32(s_end - 64), z = get_32(s_end - 32);
    put_32(d, a);
    put_32(d + 32, b);
    if (n <= 256) {
        __m256i c = get_32(s + 64), e = get_32(s + 96);
        put_32(d + 64, c);
        put_32(d + 96, e);
    } else {
        size_t skip = 64 - (uintptr_t)d % 32;
        d += skip;
        s += skip;
        do {
            __m256i c = get_32(s), e = get_32(s + 32), f = get_32(s + 64), g = get_32(s + 96);
            _mm256_store_si256((__m256i *)(void *)d, c);
            _mm256_store_si256((__m256i *)(void *)(d + 32), e);
            _mm256_store_si256((__m256i *)(void *)(d + 64), f);
            _mm256_store_si256((__m256i *)(void *)(d + 96), g);
            d += 128;
            s += 128;
        } while (d < d_end - 128);
    }
    put_32(d_end - 128, w);
    put_32(d_end - 96, x);
    put_32(d_end - 64, y);
    put_32(d_end - 32, z);
    return dst;
}

MEMCPY_AVX2 static void *memcpy_x86_avx2(void *restrict dst, const void *restrict src, size_t n)
{
    return memcpy_by_32(dst, src, n, false);
}

MEMCPY_AVX2 static void *memcpy_x86_avx2_rep(void *restrict dst, const void *restrict src, size_t n)
{
    return memcpy_by_32(dst, src, n, true);
}

static memcpy_function *memcpy_choose(uint32_t features)
{
    memcpy_function *chosen = memcpy_portable;
    if (features & CPU_AVX2)
        chosen = memcpy_x86_avx2;
    if (features & CPU_AVX2 && features & CPU_FSRM)
        chosen = memcpy_x86_avx2_rep;
    return chosen;
}

#endif
