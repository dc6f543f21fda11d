/*
 * memcpy.c: copies for which the call itself is a good part of the cost.
 *
 *   1 to 16 bytes   two moves of 1, 2, 4 or 8 bytes, which overlap in the middle
 *   17 to 128       two, four or eight of 16 bytes, likewise: all loads, then all stores
 *   more            64 bytes a step, stored at aligned addresses; the first 16 bytes make up for
 *                   the misalignment, and the last 64 are copied wherever they lie
 *
 * Up to 128 bytes there is no indirect call and no 32-byte register: the jump and the vzeroupper
 * cost more than the stores that they save; where none is needed the limit is 64. The portable code
 * is SSE2 on x86 and NEON on aarch64; wider variants are in src/arch/.../memcpy.h.
 *
 * Must never call memcpy, or be compiled into a call of it: in the preloaded object that is itself.
 */
#include "coldboost.h"
#include "cpu.h"

#define INLINE static inline __attribute__((always_inline))

typedef void *memcpy_function(void *restrict dst, const void *restrict src, size_t n);
typedef uint64_t aligned_16 __attribute__((vector_size(16), may_alias));

INLINE coldboost_u128 get_16(const uint8_t *p)
{
    return *(const coldboost_u128 *)p;
}

INLINE void put_16(uint8_t *p, coldboost_u128 value)
{
    *(coldboost_u128 *)p = value;
}

/* n > 128. */
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
    do {
        coldboost_u128 a = get_16(s), b = get_16(s + 16), c = get_16(s + 32), e = get_16(s + 48);
        *(aligned_16 *)d = a;
        *(aligned_16 *)(d + 16) = b;
        *(aligned_16 *)(d + 32) = c;
        *(aligned_16 *)(d + 48) = e;
        d += 64;
        s += 64;
    } while (d < d_end - 64);
    put_16(d_end - 64, w);
    put_16(d_end - 48, x);
    put_16(d_end - 32, y);
    put_16(d_end - 16, z);
    return dst;
}

/* The kernel copies what is longer than `above`: 128, or 64 if it takes that too. */
struct memcpy_kernel {
    memcpy_function *copy;
    size_t above;
};

#include "memcpy.h"

static memcpy_function memcpy_first_call;
static struct memcpy_kernel memcpy_kernel = {memcpy_first_call, 128};

/*
 * Chooses the kernel, once. Two threads may both get here; they choose the same. `above` only
 * falls, and only for a kernel that takes what lies between, so its order does not matter either.
 */
static void *memcpy_first_call(void *restrict dst, const void *restrict src, size_t n)
{
    const struct memcpy_kernel chosen = memcpy_choose(cpu_features());
    __atomic_store_n(&memcpy_kernel.copy, chosen.copy, __ATOMIC_RELAXED);
    __atomic_store_n(&memcpy_kernel.above, chosen.above, __ATOMIC_RELAXED);
    return chosen.copy(dst, src, n);
}

/* 16 < n <= 128. */
INLINE void *copy_by_16(void *restrict dst, const void *restrict src, size_t n)
{
    uint8_t *d = dst, *d_end = d + n;
    const uint8_t *s = src, *s_end = s + n;
    coldboost_u128 a = get_16(s), z = get_16(s_end - 16);
    if (n > 32) {
        coldboost_u128 b = get_16(s + 16), y = get_16(s_end - 32);
        if (n > 64) {
            coldboost_u128 c = get_16(s + 32), e = get_16(s + 48);
            coldboost_u128 w = get_16(s_end - 64), x = get_16(s_end - 48);
            put_16(d + 32, c);
            put_16(d + 48, e);
            put_16(d_end - 64, w);
            put_16(d_end - 48, x);
        }
        put_16(d + 16, b);
        put_16(d_end - 32, y);
    }
    put_16(d, a);
    put_16(d_end - 16, z);
    return dst;
}

__attribute__((aligned(64))) void *fast_memcpy(void *restrict dst, const void *restrict src,
                                               size_t n)
{
    if (n <= 16)
        return coldboost_memcpy_inline(dst, src, n);
    if (n <= __atomic_load_n(&memcpy_kernel.above, __ATOMIC_RELAXED))
        return copy_by_16(dst, src, n);
    return __atomic_load_n(&memcpy_kernel.copy, __ATOMIC_RELAXED)(dst, src, n);
}
