/*
 * x86_64/crc32c.h: CRC-32C by the crc32 instruction and by carry-less multiplication.
 *
 * The instruction takes eight bytes, one a cycle, but each needs the last one's result three cycles
 * later; several streams hide that and a multiplication joins them.
 *
 *   up to 63 bytes   one stream
 *   64 and more      three streams
 *   256 and more     with VPCLMULQDQ folded as in crc32.h, since that has no serial part
 *   3,968 and more   with VPCLMULQDQ three streams beside the folding: other execution units
 *
 * With AVX-512 64 bytes and more are folded (crc_fold_512.h), beside four streams from 3,072 on.
 */
#pragma once

#include "cpu_features.h"
#include "crc_fold.h"
#include "crc_fold_512.h"

#define CRC32C_SERIAL __attribute__((target("sse4.2")))
#define CRC32C_SSE    __attribute__((target("sse4.2,pclmul")))
#define CRC32C_AVX    __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))

/* The instruction's upper half of the result is zero; a cast would have the compiler clear it. */
CRC_INLINE CRC32C_SERIAL uint64_t crc32c_8(uint64_t crc, const uint8_t *p)
{
    return _mm_crc32_u64(crc, *(const coldboost_u64 *)p);
}

/*
 * The n % 8 bytes that are more than words, at the end of a word with what of the register meets
 * them; zeros before a message change nothing. n >= 8.
 */
CRC_INLINE CRC32C_SERIAL uint64_t crc32c_odd(uint64_t crc, const uint8_t *p, size_t n)
{
    const size_t bits = n % 8 * 8;
    /* In two steps: a shift by 64 is none. */
    const uint64_t word = (*(const coldboost_u64 *)p ^ crc) << (56 - bits) << 8;
    return _mm_crc32_u64(0, word) ^ crc >> bits;
}

/* The register is not inverted. */
CRC_INLINE CRC32C_SERIAL uint32_t crc32c_serial(uint32_t crc, const uint8_t *p, size_t n)
{
    if (n < 8) {
        if (n & 4) {
            crc = _mm_crc32_u32(crc, *(const coldboost_u32 *)p);
            p += 4;
        }
        if (n & 2) {
            crc = _mm_crc32_u16(crc, (uint16_t)(p[0] | p[1] << 8));
            p += 2;
        }
        return n & 1 ? _mm_crc32_u8(crc, *p) : crc;
    }
    uint64_t by_8 = crc;
    if (n % 8)
        by_8 = crc32c_odd(by_8, p, n);
    p += n % 8;
    for (const uint8_t *end = p + n / 8 * 8; p < end; p += 8)
        by_8 = crc32c_8(by_8, p);
    return (uint32_t)by_8;
}

CRC32C_SERIAL static uint32_t crc32c_x86_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
    return ~crc32c_serial(~crc, p, n);
}

/* A register whose bytes are followed by as many more as the factor is for; see crc32c_join(). */
CRC_INLINE CRC32C_SSE __m128i crc32c_moved(uint64_t crc, const void *factor)
{
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_loadu_si32(factor), 0x00);
}

CRC_INLINE CRC32C_SSE uint32_t crc32c_join(__m128i sum)
{
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sum));
}

/* Three streams of `bytes` bytes one behind the other, and the register before them. */
CRC_INLINE CRC32C_SSE uint32_t crc32c_streams(uint32_t crc, const uint8_t *p, size_t bytes,
                                              const uint64_t factors[2])
{
    uint64_t first = crc, second = 0, third = 0;
    for (size_t i = 0; i < bytes; i += 8) {
        first = crc32c_8(first, p + i);
        second = crc32c_8(second, p + bytes + i);
        third = crc32c_8(third, p + 2 * bytes + i);
    }
    __m128i sum =
        _mm_xor_si128(crc32c_moved(first, &factors[0]), crc32c_moved(second, &factors[1]));
    return (uint32_t)third ^ crc32c_join(sum);
}

/*
 * 8 <= n < 384: three streams as long as n allows; the odd bytes and up to two words go to the
 * first. The register joins at the end, so that a call waits for the last one's result no longer
 * than that takes.
 */
CRC_INLINE CRC32C_SSE uint32_t crc32c_short(uint32_t crc, const uint8_t *p, size_t n)
{
    const size_t words = n / 8, over = words % 3, bytes = words / 3 * 8;
    uint64_t first = crc32c_odd(0, p, n), second = 0, third = 0;
    p += n % 8;
    if (over) {
        first = crc32c_8(first, p);
        p += 8;
        if (over > 1) {
            first = crc32c_8(first, p);
            p += 8;
        }
    }
    for (size_t i = 0; i < bytes; i += 8) {
        first = crc32c_8(first, p + i);
        second = crc32c_8(second, p + bytes + i);
        third = crc32c_8(third, p + 2 * bytes + i);
    }
    __m128i sum = _mm_xor_si128(crc32c_moved(first, &crc32c_on[2 * bytes]),
                                crc32c_moved(second, &crc32c_on[bytes]));
    sum = _mm_xor_si128(sum, crc32c_moved(~crc, &crc32c_on[n]));
    return ~((uint32_t)third ^ crc32c_join(sum));
}

CRC32C_SSE static uint32_t crc32c_x86_pclmul(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 3 * 1024; p += 3 * 1024, n -= 3 * 1024)
        crc = crc32c_streams(crc, p, 1024, crc32c_merge_long);
    for (; n >= 3 * 128; p += 3 * 128, n -= 3 * 128)
        crc = crc32c_streams(crc, p, 128, crc32c_merge_short);
    return n < 64 ? ~crc32c_serial(crc, p, n) : crc32c_short(~crc, p, n);
}

/* The checksum of the message that ends with this block. */
CRC_INLINE CRC32C_SSE uint32_t crc32c_final(__m128i block)
{
    uint64_t first = (uint64_t)_mm_cvtsi128_si64(block);
    uint64_t last = (uint64_t)_mm_extract_epi64(block, 1);
    return ~(uint32_t)_mm_crc32_u64((uint32_t)_mm_crc32_u64(0, first), last);
}

/*
 * A period of the fused kernel: three streams of 768 bytes, then 1,536 that are folded meanwhile.
 * The four registers stand for the 128 bytes before p, then for the last 128 of the period. The
 * streams begin at zero, so a period waits for nothing; their results join the folded registers.
 *
 * Three bytes of five go to the instruction: it takes eight a cycle, as the multiplier does, but
 * half of its micro-operations, and those are what is short (Zen 3 starts six a cycle).
 */
#define CRC32C_STREAM_BYTES 768
#define CRC32C_PERIOD_BYTES 3840

/* Eight more bytes of each stream. */
#define CRC32C_STEP(at)                                                                            \
    do {                                                                                           \
        s0 = crc32c_8(s0, stream + (at));                                                          \
        s1 = crc32c_8(s1, stream + CRC32C_STREAM_BYTES + (at));                                    \
        s2 = crc32c_8(s2, stream + 2 * CRC32C_STREAM_BYTES + (at));                                \
    } while (0)

CRC_INLINE CRC32C_AVX void crc32c_fuse(__m256i a[4], const uint8_t *stream)
{
    const __m256i by_128 = _mm256_broadcastsi128_si256(load_16(crc32c_factors.by_128));
    __m256i factors = _mm256_broadcastsi128_si256(load_16(crc32c_factors.by_period_gap));
    const uint8_t *folded = stream + 3 * CRC32C_STREAM_BYTES, *end = stream + CRC32C_STREAM_BYTES;
    uint64_t s0 = 0, s1 = 0, s2 = 0;
    for (; stream < end; stream += 64, folded += 128) {
        a[0] = fold_32(a[0], factors, load_32(folded));
        CRC32C_STEP(0);
        CRC32C_STEP(8);
        a[1] = fold_32(a[1], factors, load_32(folded + 32));
        CRC32C_STEP(16);
        CRC32C_STEP(24);
        a[2] = fold_32(a[2], factors, load_32(folded + 64));
        CRC32C_STEP(32);
        CRC32C_STEP(40);
        a[3] = fold_32(a[3], factors, load_32(folded + 96));
        CRC32C_STEP(48);
        CRC32C_STEP(56);
        factors = by_128;
    }
    const __m128i k01 = load_16(crc32c_stream_factors);
    const __m128i k2 = _mm_loadl_epi64((const __m128i *)(const void *)(crc32c_stream_factors + 2));
    __m128i sum = _mm_xor_si128(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)s0), k01, 0x00),
                                _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)s1), k01, 0x10));
    sum = _mm_xor_si128(sum, _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)s2), k2, 0x00));
    a[3] = _mm256_xor_si256(a[3], _mm256_zextsi128_si256(sum));
}

/* n >= 128. Apart, so that short messages do not save the registers that this needs. */
CRC32C_AVX __attribute__((noinline)) static uint32_t crc32c_long(uint32_t crc, const uint8_t *p,
                                                                 size_t n)
{
    const size_t steps = n / 128;
    __m256i a[4];
    fold_begin(a, crc, p, steps, &crc32c_factors);
    for (p += 128, n -= 128; n >= CRC32C_PERIOD_BYTES;
         p += CRC32C_PERIOD_BYTES, n -= CRC32C_PERIOD_BYTES)
        crc32c_fuse(a, p);
    return crc32c_final(fold_end(a, crc, p, n, steps, &crc32c_factors));
}

CRC32C_AVX static uint32_t crc32c_x86_vpclmul(uint32_t crc, const uint8_t *p, size_t n)
{
    if (n < 64)
        return ~crc32c_serial(~crc, p, n);
    if (n < 256)
        return crc32c_short(crc, p, n);
    return crc32c_long(crc, p, n);
}

/*
 * Streams beside the folding, with AVX-512.
 *
 * Multiplications of 64-byte registers go to port 5 only, two each 64 bytes; the crc32 instruction
 * goes to port 1, which has nothing to do then, and takes eight bytes a cycle. So a step folds 256
 * bytes in 8 cycles and takes 8 words of four streams meanwhile: 40 bytes a cycle instead of 32.
 * Each stream waits 6 of the 8 cycles, which leaves room for the odd bytes before the first.
 *
 * A period is the four streams and then what is folded. Joining costs four multiplications, so a
 * message is as few periods as the table of factors allows, all equally long.
 */
#define CRC32C_STEP_BYTES 320
#define CRC32C_MOST_STEPS 50

CRC_INLINE CRC_AVX512 __m128i crc32c_moved_512(uint64_t crc, const uint32_t *factor)
{
    return _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_loadu_si32(factor), 0x00);
}

/*
 * Four streams of `bytes` bytes from p on, and what is folded behind them but its first 256 bytes,
 * which are in the registers. Returns what the streams add to the last 64 bytes.
 */
CRC_INLINE CRC_AVX512 __m128i crc32c_period_512(__m512i a[4], const uint8_t *p, size_t bytes,
                                                uint64_t s0, const uint32_t *factors)
{
    const __m512i by_256 = same_factors(crc32c_factors.by_256);
    const uint8_t *folded = p + 4 * bytes, *end = p + bytes;
    uint64_t s1 = 0, s2 = 0, s3 = 0;
    for (;;) {
        s0 = crc32c_8(s0, p);
        s1 = crc32c_8(s1, p + bytes);
        s2 = crc32c_8(s2, p + 2 * bytes);
        s3 = crc32c_8(s3, p + 3 * bytes);
        s0 = crc32c_8(s0, p + 8);
        s1 = crc32c_8(s1, p + bytes + 8);
        s2 = crc32c_8(s2, p + 2 * bytes + 8);
        s3 = crc32c_8(s3, p + 3 * bytes + 8);
        p += 16;
        folded += 256;
        if (p == end)
            break;
        fold_256_bytes(a, folded, by_256);
    }
    __m128i first =
        _mm_xor_si128(crc32c_moved_512(s0, factors + 3), crc32c_moved_512(s1, factors + 2));
    __m128i last = _mm_xor_si128(crc32c_moved_512(s2, factors + 1), crc32c_moved_512(s3, factors));
    return _mm_xor_si128(first, last);
}

/* n >= CRC32C_FUSE_FROM. */
CRC_AVX512 __attribute__((noinline)) static uint32_t crc32c_fused_512(uint32_t crc,
                                                                      const uint8_t *p, size_t n)
{
    const size_t most = CRC32C_STEP_BYTES * CRC32C_MOST_STEPS;
    size_t periods = 1, steps = n / CRC32C_STEP_BYTES;
    if (steps > CRC32C_MOST_STEPS) { /* a division that everything waits for */
        periods = (n + most - 1) / most;
        steps /= periods;
    }
    const size_t bytes = 16 * steps;
    const size_t odd = (n - periods * steps * CRC32C_STEP_BYTES) % 64;
    uint64_t first = odd ? ~crc32c_x86_sse42(crc, p, odd) : 0;
    const uint32_t *factors = crc32c_streams_512[steps];
    const uint8_t *end = p + n, *folded = p + odd + 4 * bytes;
    __m512i a[4] = {load_64(folded), load_64(folded + 64), load_64(folded + 128),
                    load_64(folded + 192)};
    __m128i sum = odd ? _mm_setzero_si128() : crc32c_moved_512(~crc, factors + 4);
    for (p += odd;;) {
        sum = _mm_xor_si128(sum, crc32c_period_512(a, p, bytes, first, factors));
        a[3] = _mm512_xor_si512(a[3], _mm512_zextsi128_si512(sum));
        p += CRC32C_STEP_BYTES * steps;
        if (!--periods)
            return crc32c_final(fold_whole(a, p, end, &crc32c_factors));
        /* More than one period: of at least half of the most steps each. */
        const uint64_t *gap = crc32c_gap_512[steps - CRC32C_MOST_STEPS / 2];
        fold_256_bytes(a, p + 4 * bytes, same_factors(gap));
        sum = _mm_setzero_si128();
        first = 0;
    }
}

/* Apart, so that short messages do not save the registers that this needs. */
CRC_AVX512 __attribute__((noinline)) static uint32_t crc32c_long_512(uint32_t crc, const uint8_t *p,
                                                                     size_t n)
{
    return crc32c_final(fold_long(crc, p, n, &crc32c_factors));
}

#define CRC32C_FUSE_FROM 3072

CRC_AVX512 __attribute__((aligned(64))) static uint32_t crc32c_x86_avx512(uint32_t crc,
                                                                          const uint8_t *p,
                                                                          size_t n)
{
    if (n < 64)
        return ~crc32c_serial(~crc, p, n);
    /* As if nothing came before it; the register joins behind the last step. */
    if (n < sizeof crc32c_on / sizeof *crc32c_on)
        return crc32c_final(fold_direct(load_64(p), p, n, &crc32c_factors)) ^
               crc32c_join(crc32c_moved(~crc, &crc32c_on[n]));
    return n < CRC32C_FUSE_FROM ? crc32c_long_512(crc, p, n) : crc32c_fused_512(crc, p, n);
}

static crc_function *crc32c_choose(uint32_t features)
{
    crc_function *chosen = crc32c_portable;
    if (features & CPU_SSE42)
        chosen = crc32c_x86_sse42;
    if (features & CPU_SSE42 && features & CPU_PCLMUL)
        chosen = crc32c_x86_pclmul;
    if (features & CPU_SSE42 && features & CPU_PCLMUL && features & CPU_AVX2 &&
        features & CPU_VPCLMULQDQ)
        chosen = crc32c_x86_vpclmul;
    if (chosen == crc32c_x86_vpclmul && features & CPU_AVX512 && features & CPU_AVX512VBMI)
        chosen = crc32c_x86_avx512;
    return chosen;
}
