/*
 * x86_64/memcpy.h: fast_memcpy() itself, and copies by registers of 32 and of 64 bytes.
 *
 *   16 to 64 bytes    four moves of 16 bytes, without a branch between these sizes
 *   65 to 128         with AVX2 four registers of 32, of which the last overlap
 *   129 to 256        eight registers, or with AVX-512 four of 64, likewise
 *   257 to 512        with AVX-512 eight registers of 64
 *   more              four registers a step, stored at aligned addresses; the first bytes make up
 *                     for the misalignment, and the last step is copied wherever it lies
 *   4,096 and more    rep movsb where that is fast: it does not read what it overwrites; or from
 *                     32 KiB on, where registers are faster as long as all is in the first cache
 */
#pragma once

#include "cpu_features.h"

#include <assert.h>
#include <immintrin.h>
#include <stddef.h>

typedef void *memcpy_function(void *restrict dst, const void *restrict src, size_t n);

/* fast_memcpy() copies up to 64 bytes or with AVX2 some more itself, and has `copy` do the rest. */
struct memcpy_kernel {
    memcpy_function *copy;
    size_t above;    /* `copy` for n - 16 above this */
    size_t rep_from; /* SIZE_MAX where rep movsb is slow */
};

static memcpy_function memcpy_first_call;

__attribute__((used)) static struct memcpy_kernel memcpy_kernel = {memcpy_first_call, 64 - 16,
                                                                   SIZE_MAX};
static_assert(offsetof(struct memcpy_kernel, copy) == 0 &&
                  offsetof(struct memcpy_kernel, above) == 8 &&
                  offsetof(struct memcpy_kernel, rep_from) == 16,
              "as the assembler code reads them");

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
#define REP_FROM    4096
#define REP_FROM_L2 (32u << 10)

/* n > 64. */
MEMCPY_AVX2 static void *memcpy_x86_avx2(void *restrict dst, const void *restrict src, size_t n)
{
    if (n <= 256) /* whoever read `above` just before the kernel was chosen */
        return memcpy_portable(dst, src, n);
    uint8_t *d = dst, *d_end = d + n;
    const uint8_t *s = src, *s_end = s + n;
    __m256i a = get_32(s), b = get_32(s + 32);
    if (n >= __atomic_load_n(&memcpy_kernel.rep_from, __ATOMIC_RELAXED)) {
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
    put_32(d_end - 128, w);
    put_32(d_end - 96, x);
    put_32(d_end - 64, y);
    put_32(d_end - 32, z);
    return dst;
}

/*
 * By registers of 64 bytes, for n > 64. In assembly, since zmm16 to zmm31 need no vzeroupper and a
 * compiler does not keep to them. Only where there is VBMI, too: from Ice Lake and Zen 4 on moves
 * of such registers do not lower the clock rate.
 */
memcpy_function memcpy_x86_avx512;

/* clang-format off */
__asm__(
    ".pushsection .text\n"
    "   .p2align    6\n"
    "   .type       memcpy_x86_avx512, @function\n"
    "   .hidden     memcpy_x86_avx512\n"
    "memcpy_x86_avx512:\n"
    "   endbr64\n"
    "   mov         %rdi, %rax\n"
    "   cmp         $256, %rdx\n"
    "   ja          1f\n"
    "   vmovdqu64   (%rsi), %zmm16\n"
    "   vmovdqu64   -64(%rsi, %rdx), %zmm17\n"
    "   cmp         $128, %rdx\n"
    "   jbe         5f\n"
    "   vmovdqu64   64(%rsi), %zmm18\n"
    "   vmovdqu64   -128(%rsi, %rdx), %zmm19\n"
    "   vmovdqu64   %zmm18, 64(%rdi)\n"
    "   vmovdqu64   %zmm19, -128(%rdi, %rdx)\n"
    "5: vmovdqu64   %zmm16, (%rdi)\n"
    "   vmovdqu64   %zmm17, -64(%rdi, %rdx)\n"
    "   ret\n"

    "   .p2align    4\n"
    "1: cmp         16 + memcpy_kernel(%rip), %rdx\n"
    "   vmovdqu64   (%rsi), %zmm16\n"
    "   jae         6f\n"
    "   vmovdqu64   -64(%rsi, %rdx), %zmm20\n"
    "   vmovdqu64   -128(%rsi, %rdx), %zmm21\n"
    "   vmovdqu64   -192(%rsi, %rdx), %zmm22\n"
    "   vmovdqu64   -256(%rsi, %rdx), %zmm23\n"
    "   cmp         $512, %rdx\n"
    "   ja          2f\n"
    "   vmovdqu64   64(%rsi), %zmm17\n"
    "   vmovdqu64   128(%rsi), %zmm18\n"
    "   vmovdqu64   192(%rsi), %zmm19\n"
    "   vmovdqu64   %zmm17, 64(%rdi)\n"
    "   vmovdqu64   %zmm18, 128(%rdi)\n"
    "   vmovdqu64   %zmm19, 192(%rdi)\n"
    "   jmp         4f\n"

    /* The first 64 bytes make up for what the destination is short of a line. */
    "2: lea         -256(%rdi, %rdx), %rcx\n"
    "   or          $63, %rdi\n"
    "   inc         %rdi\n"
    "   sub         %rax, %rsi\n"
    "   add         %rdi, %rsi\n"
    "   .p2align    5\n"
    "3: vmovdqu64   (%rsi), %zmm17\n"
    "   vmovdqu64   64(%rsi), %zmm18\n"
    "   vmovdqu64   128(%rsi), %zmm19\n"
    "   vmovdqu64   192(%rsi), %zmm24\n"
    "   add         $256, %rsi\n"
    "   vmovdqa64   %zmm17, (%rdi)\n"
    "   vmovdqa64   %zmm18, 64(%rdi)\n"
    "   vmovdqa64   %zmm19, 128(%rdi)\n"
    "   vmovdqa64   %zmm24, 192(%rdi)\n"
    "   add         $256, %rdi\n"
    "   cmp         %rcx, %rdi\n"
    "   jb          3b\n"
    "   mov         %rax, %rdi\n"
    "4: vmovdqu64   %zmm16, (%rdi)\n"
    "   vmovdqu64   %zmm20, -64(%rdi, %rdx)\n"
    "   vmovdqu64   %zmm21, -128(%rdi, %rdx)\n"
    "   vmovdqu64   %zmm22, -192(%rdi, %rdx)\n"
    "   vmovdqu64   %zmm23, -256(%rdi, %rdx)\n"
    "   ret\n"

    /* Likewise. rep movsb takes rdi, rsi and rcx. */
    "6: vmovdqu64   %zmm16, (%rdi)\n"
    "   lea         (%rdi, %rdx), %rcx\n"
    "   or          $63, %rdi\n"
    "   inc         %rdi\n"
    "   sub         %rax, %rsi\n"
    "   add         %rdi, %rsi\n"
    "   sub         %rdi, %rcx\n"
    "   rep movsb\n"
    "   ret\n"
    "   .size       memcpy_x86_avx512, . - memcpy_x86_avx512\n"
    ".popsection");
/* clang-format on */

static struct memcpy_kernel memcpy_choose(uint32_t features)
{
    const size_t rep_from = features & CPU_FSRM      ? REP_FROM
                            : features & CPU_FSRM_L2 ? REP_FROM_L2
                                                     : SIZE_MAX;
    if (features & CPU_AVX512 && features & CPU_AVX512VBMI)
        return (struct memcpy_kernel){memcpy_x86_avx512, 128 - 16, rep_from};
    if (features & CPU_AVX2)
        return (struct memcpy_kernel){memcpy_x86_avx2, 256 - 16, rep_from};
    return (struct memcpy_kernel){memcpy_portable, 64 - 16, rep_from};
}

/*
 * Chooses the kernel, once. Two threads may both get here; they choose the same. `above` only
 * rises, and every kernel takes whatever is longer than 64, so its order does not matter either.
 */
static void *memcpy_first_call(void *restrict dst, const void *restrict src, size_t n)
{
    const struct memcpy_kernel chosen = memcpy_choose(cpu_features());
    __atomic_store_n(&memcpy_kernel.rep_from, chosen.rep_from, __ATOMIC_RELAXED);
    __atomic_store_n(&memcpy_kernel.copy, chosen.copy, __ATOMIC_RELAXED);
    __atomic_store_n(&memcpy_kernel.above, chosen.above, __ATOMIC_RELAXED);
    return chosen.copy(dst, src, n);
}

/*
 * fast_memcpy(dst = rdi, src = rsi, n = rdx). In assembly, because up to 256 bytes its time is that
 * of fetching and predicting it: a call that does nothing takes as long as 16 to 64 bytes here as
 * long as what they run through is 16 operations (two entries of Zen's operation cache) and no jump
 * is taken.
 *
 * 16 to 64 bytes are four moves, at 0, m, 2 m and n - 16, for r = n - 16 and m = r * 89 / 256,
 * which is about r / 3: they meet or overlap, since m and r - 2 m are at most 16, and stay inside,
 * since 2 m is at most r. With sizes that nobody predicts this saves more than half of the wrong
 * guesses.
 */
/* clang-format off */
__asm__(
    ".pushsection .text\n"
    "   .p2align    6\n"
    "   .globl      fast_memcpy\n"
    "   .type       fast_memcpy, @function\n"
    "fast_memcpy:\n"
    "   endbr64\n"
    "   mov         %rdi, %rax\n"
    "   sub         $16, %rdx\n"
    "   jb          .Lmemcpy_15\n"
    "   cmp         $48, %rdx\n"
    "   ja          .Lmemcpy_more\n"
    "   imul        $89, %edx, %ecx\n"
    "   shr         $8, %ecx\n"
    "   movups      (%rsi), %xmm0\n"
    "   movups      (%rsi, %rcx), %xmm1\n"
    "   movups      (%rsi, %rcx, 2), %xmm2\n"
    "   movups      (%rsi, %rdx), %xmm3\n"
    "   movups      %xmm0, (%rdi)\n"
    "   movups      %xmm1, (%rdi, %rcx)\n"
    "   movups      %xmm2, (%rdi, %rcx, 2)\n"
    "   movups      %xmm3, (%rdi, %rdx)\n"
    "   ret\n"

    /*
     * n - 16 is still in rdx, negative. Two taken jumps into one line of code cost a cycle more
     * than into two, on Sapphire Rapids.
     */
    "   .p2align    6\n"
    ".Lmemcpy_15:\n"
    "   cmp         $2 - 16, %edx\n"
    "   jl          .Lmemcpy_1\n"
    "   cmp         $4 - 16, %edx\n"
    "   jl          .Lmemcpy_3\n"
    "   cmp         $8 - 16, %edx\n"
    "   jl          .Lmemcpy_7\n"
    "   mov         (%rsi), %rcx\n"
    "   mov         16 - 8(%rsi, %rdx), %rsi\n"
    "   mov         %rcx, (%rdi)\n"
    "   mov         %rsi, 16 - 8(%rdi, %rdx)\n"
    "   ret\n"
    "   .p2align    6\n"
    ".Lmemcpy_7:\n"
    "   mov         (%rsi), %ecx\n"
    "   mov         16 - 4(%rsi, %rdx), %esi\n"
    "   mov         %ecx, (%rdi)\n"
    "   mov         %esi, 16 - 4(%rdi, %rdx)\n"
    "   ret\n"
    "   .p2align    5\n"
    ".Lmemcpy_3:\n"
    "   movzwl      (%rsi), %ecx\n"
    "   movzwl      16 - 2(%rsi, %rdx), %esi\n"
    "   mov         %cx, (%rdi)\n"
    "   mov         %si, 16 - 2(%rdi, %rdx)\n"
    "   ret\n"
    ".Lmemcpy_1:\n"
    "   cmp         $1 - 16, %edx\n"
    "   jl          1f\n"
    "   movzbl      (%rsi), %ecx\n"
    "   mov         %cl, (%rdi)\n"
    "1: ret\n"

    /* As far as 128 bytes one line of code, and the jump out of it into another. */
    "   .p2align    6\n"
    ".Lmemcpy_more:\n"
    "   cmp         8 + memcpy_kernel(%rip), %rdx\n"
    "   ja          3f\n"
    "   cmp         $128 - 16, %rdx\n"
    "   vmovdqu     (%rsi), %ymm0\n"
    "   vmovdqu     32(%rsi), %ymm1\n"
    "   ja          2f\n"
    "   vmovdqu     16 - 64(%rsi, %rdx), %ymm2\n"
    "   vmovdqu     16 - 32(%rsi, %rdx), %ymm3\n"
    "   vmovdqu     %ymm0, (%rdi)\n"
    "   vmovdqu     %ymm1, 32(%rdi)\n"
    "   vmovdqu     %ymm2, 16 - 64(%rdi, %rdx)\n"
    "   vmovdqu     %ymm3, 16 - 32(%rdi, %rdx)\n"
    "   vzeroupper\n"
    "   ret\n"
    "   .p2align    6\n"
    "3: add         $16, %rdx\n"
    "   jmp         *memcpy_kernel(%rip)\n"
    "   .p2align    4\n"
    "2: vmovdqu     64(%rsi), %ymm2\n"
    "   vmovdqu     96(%rsi), %ymm3\n"
    "   vmovdqu     16 - 128(%rsi, %rdx), %ymm4\n"
    "   vmovdqu     16 - 96(%rsi, %rdx), %ymm5\n"
    "   vmovdqu     16 - 64(%rsi, %rdx), %ymm6\n"
    "   vmovdqu     16 - 32(%rsi, %rdx), %ymm7\n"
    "   vmovdqu     %ymm0, (%rdi)\n"
    "   vmovdqu     %ymm1, 32(%rdi)\n"
    "   vmovdqu     %ymm2, 64(%rdi)\n"
    "   vmovdqu     %ymm3, 96(%rdi)\n"
    "   vmovdqu     %ymm4, 16 - 128(%rdi, %rdx)\n"
    "   vmovdqu     %ymm5, 16 - 96(%rdi, %rdx)\n"
    "   vmovdqu     %ymm6, 16 - 64(%rdi, %rdx)\n"
    "   vmovdqu     %ymm7, 16 - 32(%rdi, %rdx)\n"
    "   vzeroupper\n"
    "   ret\n"
    "   .size       fast_memcpy, . - fast_memcpy\n"
    ".popsection");
/* clang-format on */
