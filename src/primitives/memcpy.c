/*
 * memcpy.c: copies for which the call itself is a good part of the cost.
 *
 *   1 to 15 bytes   two moves of 1, 2, 4 or 8 bytes, which overlap in the middle
 *   16 to 128       two, four or eight of 16 bytes, likewise: all loads, then all stores
 *   more            64 bytes a step, stored at aligned addresses; the first 16 bytes make up for
 *                   the misalignment, and the last 64 are copied wherever they lie
 *
 * The portable code is SSE2 on x86 and NEON on aarch64; fast_memcpy() itself, which tells the sizes
 * apart, and wider variants are in src/arch/.../memcpy.h.
 *
 * Must never call memcpy, or be compiled into a call of it: in the preloaded object that is itself.
 */
#include "primitives/loops.h"

#include "coldboost.h"
#include "primitives/cpu.h"

#define INLINE static inline __attribute__((always_inline))

typedef uint64_t aligned_16 __attribute__((vector_size(16), may_alias));

INLINE coldboost_u128 get_16(const uint8_t *p)
{
    return *(const coldboost_u128 *)p;
}

INLINE void put_16(uint8_t *p, coldboost_u128 value)
{
    *(coldboost_u128 *)p = value;
}

/* n > 64. */
static void *memcpy_portable(void *restrict dst, const void *restrict src, size_t n)
{
    uint8_t *d = dst, *d_end = d + n;
    const uint8_t *s = src, *s_end = s + n;
    coldboost_u128 first = get_16(s);
    coldboost_u128 w = get_16(s_end - 64), x = get_16(s_end - 48);
    coldboost_u128 y = get_16(s_end - 32), z = get_16(s_end - 16);
    put_16(d, first);
    size_t skip = 16 - (uintptr_t)d % 16;
    d += skip;
    s += skip;
    for (; d < d_end - 64; d += 64, s += 64) {
        coldboost_u128 a = get_16(s), b = get_16(s + 16), c = get_16(s + 32), e = get_16(s + 48);
        *(aligned_16 *)d = a;
        *(aligned_16 *)(d + 16) = b;
        *(aligned_16 *)(d + 32) = c;
        *(aligned_16 *)(d + 48) = e;
    }
    put_16(d_end - 64, w);
    put_16(d_end - 48, x);
    put_16(d_end - 32, y);
    put_16(d_end - 16, z);
    return dst;
}

#include "memcpy.h"
