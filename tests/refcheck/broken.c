/*
 * broken.c: variants with one fault each, of the kinds that kernels have. refcheck must notice
 * every one of them; a fault that once got past it belongs here.
 */
#include "refcheck.h"

#include "coldboost.h"

#include <string.h>

#define CRC   coldboost_crc32_update
#define CRC_C coldboost_crc32c_update

static volatile uint8_t sink;

static uint32_t forgets_the_start(uint32_t crc, const void *data, size_t n)
{
    (void)crc;
    return CRC(0, data, n);
}

static uint32_t drops_the_last_of_15(uint32_t crc, const void *data, size_t n)
{
    return CRC(crc, data, n == 15 ? 14 : n);
}

static uint32_t wrong_at_alignment_63(uint32_t crc, const void *data, size_t n)
{
    return CRC_C(crc, data, n) ^ ((uintptr_t)data % 64 == 63 && n > 1000);
}

static uint32_t wrong_from_a_mebibyte_on(uint32_t crc, const void *data, size_t n)
{
    return CRC(crc, data, n) ^ (n >= 1u << 20);
}

static uint32_t wrong_at_one_plan_change(uint32_t crc, const void *data, size_t n)
{
    return CRC_C(crc, data, n) ^ (n == 3712);
}

static uint32_t reads_one_byte_behind(uint32_t crc, const void *data, size_t n)
{
    if (n)
        sink = ((const volatile uint8_t *)data)[n];
    return CRC(crc, data, n);
}

static uint32_t reads_a_block_before(uint32_t crc, const void *data, size_t n)
{
    if (n > 16)
        sink = ((const volatile uint8_t *)data)[-16];
    return CRC_C(crc, data, n);
}

static uint32_t one_shot_forgets_to_invert(const void *data, size_t n)
{
    return ~CRC(0, data, n);
}

static uint32_t combine_by_low_half_of_length(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    return coldboost_crc32_combine(crc_a, crc_b, (uint32_t)length_b);
}

static uint32_t combine_adds(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    (void)length_b;
    return crc_a ^ crc_b;
}

static uint32_t drops_the_byte_behind_64s(uint32_t crc, const void *data, size_t n)
{
    return CRC(crc, data, n > 256 && n % 64 == 1 ? n - 1 : n);
}

static uint32_t joins_eight_chains_wrongly(uint32_t crc, const void *data, size_t n)
{
    return CRC(crc, data, n) ^ (n >= 1024 && n / 256 % 2 && n % 256 == 0);
}

static uint32_t reads_a_register_before(uint32_t crc, const void *data, size_t n)
{
    if (n > 128)
        sink = ((const volatile uint8_t *)data)[-64];
    return CRC_C(crc, data, n);
}

static void *drops_byte_64(void *restrict dst, const void *restrict src, size_t n)
{
    return memcpy(dst, src, n == 64 ? 63 : n);
}

static void *leaves_a_hole_at_65(void *restrict dst, const void *restrict src, size_t n)
{
    if (n != 65)
        return memcpy(dst, src, n);
    memcpy(dst, src, 32);
    memcpy((uint8_t *)dst + 33, (const uint8_t *)src + 33, 32);
    return dst;
}

static void *writes_one_behind(void *restrict dst, const void *restrict src, size_t n)
{
    memcpy(dst, src, n);
    if (n > 256)
        ((volatile uint8_t *)dst)[n] = 0;
    return dst;
}

static void *writes_one_before(void *restrict dst, const void *restrict src, size_t n)
{
    memcpy(dst, src, n);
    if (n % 64 == 33)
        ((volatile uint8_t *)dst)[-1] = 0;
    return dst;
}

/* Puts back what it overwrites: only a guard page can tell. */
static void *stores_too_wide(void *restrict dst, const void *restrict src, size_t n)
{
    volatile uint8_t *behind = (volatile uint8_t *)dst + n;
    if (n)
        *behind = *behind;
    return memcpy(dst, src, n);
}

static void *loads_too_wide(void *restrict dst, const void *restrict src, size_t n)
{
    if (n >= 3)
        sink = ((const volatile uint8_t *)src)[n];
    return memcpy(dst, src, n);
}

static void *returns_the_end(void *restrict dst, const void *restrict src, size_t n)
{
    return (uint8_t *)memcpy(dst, src, n) + n;
}

static void *swaps_in_large_copies(void *restrict dst, const void *restrict src, size_t n)
{
    memcpy(dst, src, n);
    if (n > 100000)
        ((uint8_t *)dst)[n / 2] ^= 1;
    return dst;
}

#if defined(__x86_64__) || defined(__aarch64__)
/* In assembler: a compiler would put the register back. */
void *keeps_no_register(void *restrict dst, const void *restrict src, size_t n);
#if defined(__x86_64__)
__asm__(".pushsection .text\nkeeps_no_register:\n\txor %r13d, %r13d\n\tmov %rdi, %rax\n\t"
        "mov %rdx, %rcx\n\trep movsb\n\tret\n.popsection");
#else
__asm__(".pushsection .text\nkeeps_no_register:\n\tfmov d9, xzr\n\tb memcpy\n.popsection");
#endif
#endif

#define BREAKS(function, field)                                                                    \
    static void break_by_##function(struct subjects *subjects)                                     \
    {                                                                                              \
        subjects->field = function;                                                                \
    }
BREAKS(forgets_the_start, checksums[0].update)
BREAKS(drops_the_last_of_15, checksums[0].update)
BREAKS(wrong_at_alignment_63, checksums[1].update)
BREAKS(wrong_from_a_mebibyte_on, checksums[0].update)
BREAKS(wrong_at_one_plan_change, checksums[1].update)
BREAKS(reads_one_byte_behind, checksums[0].update)
BREAKS(reads_a_block_before, checksums[1].update)
BREAKS(one_shot_forgets_to_invert, checksums[0].one_shot)
BREAKS(combine_by_low_half_of_length, checksums[0].combine)
BREAKS(combine_adds, checksums[1].combine)
BREAKS(drops_the_byte_behind_64s, checksums[0].update)
BREAKS(joins_eight_chains_wrongly, checksums[0].update)
BREAKS(reads_a_register_before, checksums[1].update)
BREAKS(drops_byte_64, copies[0].copy)
BREAKS(leaves_a_hole_at_65, copies[0].copy)
BREAKS(writes_one_behind, copies[0].copy)
BREAKS(writes_one_before, copies[1].copy)
BREAKS(stores_too_wide, copies[0].copy)
BREAKS(loads_too_wide, copies[1].copy)
BREAKS(returns_the_end, copies[0].copy)
BREAKS(swaps_in_large_copies, copies[0].copy)
#if defined(__x86_64__) || defined(__aarch64__)
BREAKS(keeps_no_register, copies[0].copy)
#endif

#define ENTRY(function)                                                                            \
    {                                                                                              \
#function, break_by_##function                                                             \
    }
const struct broken broken_variants[] = {
    ENTRY(forgets_the_start),
    ENTRY(drops_the_last_of_15),
    ENTRY(wrong_at_alignment_63),
    ENTRY(wrong_from_a_mebibyte_on),
    ENTRY(wrong_at_one_plan_change),
    ENTRY(reads_one_byte_behind),
    ENTRY(reads_a_block_before),
    ENTRY(one_shot_forgets_to_invert),
    ENTRY(combine_by_low_half_of_length),
    ENTRY(combine_adds),
    ENTRY(drops_the_byte_behind_64s),
    ENTRY(joins_eight_chains_wrongly),
    ENTRY(reads_a_register_before),
    ENTRY(drops_byte_64),
    ENTRY(leaves_a_hole_at_65),
    ENTRY(writes_one_behind),
    ENTRY(writes_one_before),
    ENTRY(stores_too_wide),
    ENTRY(loads_too_wide),
    ENTRY(returns_the_end),
    ENTRY(swaps_in_large_copies),
#if defined(__x86_64__) || defined(__aarch64__)
    ENTRY(keeps_no_register),
#endif
    {NULL, NULL},
};
