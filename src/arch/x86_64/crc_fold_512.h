/*
 * crc_fold_512.h: folding by registers of 64 bytes (AVX-512), for both checksums.
 *
 * What limits it is port 5, where all multiplications go, one a cycle, and all moves between lanes
 * and from general registers. Every register of a message must be multiplied twice. So:
 *
 *   - up to 1024 bytes each register is moved to the place of the last 16 bytes directly, with a
 *     factor of its own: nothing waits for anything, and the four lanes are added up once. More go
 *     through four chains, and those the same way.
 *   - the odd bytes come first, not last: moved to the end of a register of their own, with zeros
 *     before them, which change nothing. Then everything else is whole registers, and no second
 *     move by an odd distance is left. The move is one vpermb: no byte of a neighbour is read.
 *   - the register that the caller hands in is added to the first bytes, or joins at the end, by a
 *     multiplication more. That shortens the chain from call to call by the whole of the folding;
 *     with odd bytes it would take two, so there it is done only where the register does not fit.
 *   - adding three terms is one instruction, which port 0 has time for.
 */
#pragma once

#include "crc_fold.h"

#define CRC_AVX512                                                                                 \
    __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq,avx512f,avx512bw,avx512vl,avx512vbmi")))

CRC_INLINE CRC_AVX512 __m512i load_64(const void *p)
{
    return _mm512_loadu_si512(p);
}

CRC_INLINE CRC_AVX512 __m512i fold_64(__m512i block, __m512i factors, __m512i data)
{
    return _mm512_ternarylogic_epi64(data, _mm512_clmulepi64_epi128(block, factors, 0x00),
                                     _mm512_clmulepi64_epi128(block, factors, 0x11), 0x96);
}

CRC_INLINE CRC_AVX512 __m512i same_factors(const uint64_t factors[2])
{
    return _mm512_broadcast_i32x4(load_16(factors));
}

/* Four blocks that are in the same place already. */
CRC_INLINE CRC_AVX512 __m128i fold_lanes(__m512i blocks)
{
    __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(blocks), _mm512_extracti64x4_epi64(blocks, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

CRC_INLINE CRC_AVX512 __m512i in_first_bytes(uint32_t crc)
{
    return _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc));
}

/* The first n < 64 bytes of a register at its end, zeros before them. */
CRC_INLINE CRC_AVX512 __m512i move_to_end(__m512i bytes, size_t n)
{
    __m512i from = load_64(crc_last_bytes + n); /* the highest bit is set, or the byte is zero */
    return _mm512_maskz_permutexvar_epi8(_mm512_movepi8_mask(from), from, bytes);
}

/* Adds to the sum a register times the factors. */
CRC_INLINE CRC_AVX512 __m512i move_register(__m512i data, const uint64_t (*factors)[2], __m512i sum)
{
    __m512i loaded = load_64(factors);
    /* Else gcc loads them twice after all. */
    __asm__("" : "+v"(loaded));
    return fold_64(data, loaded, sum);
}

/* Adds to the sum `count` registers, each in the place of the message's last 16 bytes. */
CRC_INLINE CRC_AVX512 __m512i add_registers(__m512i sum, const uint8_t *p, size_t count,
                                            const struct crc_factors *f)
{
    const uint64_t(*factors)[2] = f->to_last + 64 - 4 * count;
    for (const uint8_t *end = p + 64 * count; p < end; p += 64, factors += 4)
        sum = move_register(load_64(p), factors, sum);
    return sum;
}

#define DIRECT_MOST 1024

/* 64 <= n <= DIRECT_MOST. The odd bytes are taken from `head`, which is the first 64 bytes. */
CRC_INLINE CRC_AVX512 __m128i fold_direct(__m512i head, const uint8_t *p, size_t n,
                                          const struct crc_factors *f)
{
    const size_t odd = n % 64, whole = n / 64;
    __m512i sum = add_registers(_mm512_setzero_si512(), p + odd, whole, f);
    /* Last, since the head may wait for the call before. */
    if (odd)
        sum = move_register(move_to_end(head, odd), f->to_last + 60 - 4 * whole, sum);
    return fold_lanes(sum);
}

/* 64 <= n <= DIRECT_MOST, n % 64 < 4. The caller's register joins at the end. */
CRC_INLINE CRC_AVX512 __m128i fold_and_inject(uint32_t crc, const uint8_t *p, size_t n,
                                              const struct crc_factors *f)
{
    const size_t odd = n % 64, whole = n / 64;
    __m512i head = _mm512_xor_si512(load_64(p), in_first_bytes(UINT32_MAX));
    __m512i sum = _mm512_setzero_si512();
    __m128i start = fold_inject(_mm_cvtsi32_si128((int)crc), whole, f);
    if (odd) {
        sum = move_register(move_to_end(head, odd), f->to_last + 60 - 4 * whole, sum);
        start = _mm_clmulepi64_si128(start, load_16(f->by_bytes[odd]), 0x00);
        head = _mm512_xor_si512(load_64(p + odd), in_first_bytes(UINT32_MAX >> 8 * odd));
    }
    sum = move_register(head, f->to_last + 64 - 4 * whole, sum);
    sum = add_registers(sum, p + odd + 64, whole - 1, f);
    return _mm_xor_si128(fold_lanes(sum), start);
}

/* 256 more bytes behind four registers. */
CRC_INLINE CRC_AVX512 void fold_256_bytes(__m512i a[4], const uint8_t *p, __m512i factors)
{
    a[0] = fold_64(a[0], factors, load_64(p));
    a[1] = fold_64(a[1], factors, load_64(p + 64));
    a[2] = fold_64(a[2], factors, load_64(p + 128));
    a[3] = fold_64(a[3], factors, load_64(p + 192));
}

/* Behind four registers all whole registers that are left, in the place of the last 16 bytes. */
CRC_INLINE CRC_AVX512 __m128i fold_whole(__m512i a[4], const uint8_t *p, const uint8_t *end,
                                         const struct crc_factors *f)
{
    const __m512i by_256 = same_factors(f->by_256), none = _mm512_setzero_si512();
    for (; end - p >= 256; p += 256)
        fold_256_bytes(a, p, by_256);
    const size_t count = (size_t)(end - p) / 64;
    const uint64_t(*factors)[2] = f->to_last + 64 - 4 * (4 + count);
    __m512i even = move_register(a[0], factors, none), odd = move_register(a[1], factors + 4, none);
    even = move_register(a[2], factors + 8, even);
    odd = move_register(a[3], factors + 12, odd);
    return fold_lanes(_mm512_xor_si512(add_registers(even, p, count, f), odd));
}

/* From here on the message is not in the first cache; its lines are asked for so far ahead. */
#define PREFETCH_FROM  (48u << 10)
#define PREFETCH_AHEAD 1024

CRC_INLINE CRC_AVX512 const uint8_t *fold_and_prefetch(__m512i a[4], const uint8_t *p,
                                                       const uint8_t *end, __m512i factors)
{
    for (; end - p >= PREFETCH_AHEAD; p += 256) {
        _mm_prefetch(p + PREFETCH_AHEAD, _MM_HINT_T0);
        _mm_prefetch(p + PREFETCH_AHEAD + 64, _MM_HINT_T0);
        _mm_prefetch(p + PREFETCH_AHEAD + 128, _MM_HINT_T0);
        _mm_prefetch(p + PREFETCH_AHEAD + 192, _MM_HINT_T0);
        fold_256_bytes(a, p, factors);
    }
    return p;
}

/* n >= 320. */
CRC_INLINE CRC_AVX512 __m128i fold_long(uint32_t crc, const uint8_t *p, size_t n,
                                        const struct crc_factors *f)
{
    const size_t odd = n % 64;
    const uint8_t *end = p + n;
    const bool late = !odd && can_inject(n / 64, f);
    __m512i head = _mm512_xor_si512(load_64(p), in_first_bytes(UINT32_MAX));
    if (!late)
        head = _mm512_xor_si512(head, in_first_bytes(crc));
    p += odd;
    __m512i a[4] = {odd ? load_64(p) : head, load_64(p + 64), load_64(p + 128), load_64(p + 192)};
    if (odd)
        a[3] = fold_64(move_to_end(head, odd), same_factors(f->by_256), a[3]);
    if (odd && odd < 4)
        a[0] = _mm512_xor_si512(a[0], in_first_bytes(~crc >> 8 * odd));
    p += 256;
    if (n >= PREFETCH_FROM)
        p = fold_and_prefetch(a, p, end, same_factors(f->by_256));
    __m128i block = fold_whole(a, p, end, f);
    if (late)
        block = _mm_xor_si128(block, fold_inject(_mm_cvtsi32_si128((int)crc), n / 64, f));
    return block;
}

/* 64 <= n <= DIRECT_MOST. */
CRC_INLINE CRC_AVX512 __m128i fold_medium(uint32_t crc, const uint8_t *p, size_t n,
                                          const struct crc_factors *f)
{
    if (__builtin_expect_with_probability(n % 64 < 4, true, 0.6))
        return fold_and_inject(crc, p, n, f);
    return fold_direct(_mm512_xor_si512(load_64(p), in_first_bytes(~crc)), p, n, f);
}
