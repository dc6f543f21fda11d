/*
 * generic/memcpy.h: fast_memcpy() in C; no variant beyond the one of memcpy.c.
 */
#pragma once

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

void *fast_memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    if (n <= 16)
        return coldboost_memcpy_inline(dst, src, n);
    if (n <= 128)
        return copy_by_16(dst, src, n);
    return memcpy_portable(dst, src, n);
}
