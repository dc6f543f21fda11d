/*
 * memcpy.c: copies for which the call itself is a good part of the cost.
 *
 *   1 to 64 bytes   two or four registers, of which the last overlap: loads first, then stores,
 *                   two branches, no loop (coldboost_memcpy_inline() in coldboost.h)
 *   more            64 bytes a step; the last 64 are loaded before the first store, since their
 *                   place in the destination is known
 *
 * The variants for large copies are in src/arch/.../memcpy.h.
 *
 * Must never call memcpy, or be compiled into a call of it: in the preloaded object that is itself.
 */
#include "coldboost.h"
#include "cpu.h"

typedef void *memcpy_function(void *restrict dst, const void *restrict src, size_t n);

/* n > 64. */
static void *memcpy_portable(void *restrict dst, const void *restrict src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    for (; n > 64; d += 64, s += 64, n -= 64)
        coldboost_memcpy_inline(d, s, 64);
    coldboost_memcpy_inline(d, s, n);
    return dst;
}

#include "memcpy.h"

static memcpy_function memcpy_first_call;
static memcpy_function *memcpy_kernel = memcpy_first_call;

/* Chooses the kernel, once. Two threads may both get here; they choose the same. */
static void *memcpy_first_call(void *restrict dst, const void *restrict src, size_t n)
{
    memcpy_function *chosen = memcpy_choose(cpu_features());
    __atomic_store_n(&memcpy_kernel, chosen, __ATOMIC_RELAXED);
    return chosen(dst, src, n);
}

void *fast_memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    if (n <= 64)
        return coldboost_memcpy_inline(dst, src, n);
    return __atomic_load_n(&memcpy_kernel, __ATOMIC_RELAXED)(dst, src, n);
}
