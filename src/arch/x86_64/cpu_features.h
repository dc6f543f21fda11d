/*
 * x86_64/cpu_features.h: the features that the kernels of this folder are chosen by.
 */
#pragma once

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CPU_SSE42 = 1u << 0,
    CPU_PCLMUL = 1u << 1,
    CPU_AVX2 = 1u << 2, /* and the kernel saves the ymm registers */
    CPU_VPCLMULQDQ = 1u << 3,
    CPU_FSRM = 1u << 4,   /* rep movsb is fast, and the CPU is Intel's: Zen 3 has the bit too, and
                             moves 16 KiB at two thirds of the speed of a loop */
    CPU_AVX512 = 1u << 5, /* F, BW and VL, and the kernel saves the zmm and the mask registers */
    CPU_AVX512VBMI = 1u << 6, /* the permutation of bytes */
    CPU_FSRM_L2 = 1u << 7,    /* rep movsb is fast for what is not in the first cache: Zen 5 */
};

struct cpu_feature_name {
    const char *name;
    uint32_t bit;
};

static const struct cpu_feature_name cpu_feature_names[] = {
    {"sse4.2", CPU_SSE42},          {"pclmul", CPU_PCLMUL},   {"avx2", CPU_AVX2},
    {"vpclmulqdq", CPU_VPCLMULQDQ}, {"fsrm", CPU_FSRM},       {"avx512", CPU_AVX512},
    {"avx512vbmi", CPU_AVX512VBMI}, {"fsrm-l2", CPU_FSRM_L2}, {NULL, 0},
};

#define CPUID_FSRM (1u << 4) /* leaf 7, edx; not in every cpuid.h */

/* XCR0: the registers that the kernel saves. */
#define XCR0_XMM_YMM  0x06u
#define XCR0_MASK_ZMM 0xe0u /* masks, the upper halves of zmm0–15, zmm16–31 */

static inline uint32_t cpu_saved_registers(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Three cpuid, each of which a virtual machine may trap for some 10 µs: __get_cpuid() takes two. */
static inline uint32_t cpu_detect(void)
{
    uint32_t leaves, a, b, c, d, features = 0;
    __cpuid(0, leaves, b, c, d);
    bool intel = b == signature_INTEL_ebx;
    __cpuid(1, a, b, c, d);
    if (c & bit_SSE4_2)
        features |= CPU_SSE42;
    if (c & bit_PCLMUL)
        features |= CPU_PCLMUL;
    bool ymm_exist = (c & bit_OSXSAVE) && (c & bit_AVX);
    uint32_t saved = ymm_exist ? cpu_saved_registers() : 0;
    if ((saved & XCR0_XMM_YMM) != XCR0_XMM_YMM || leaves < 7)
        return features;
    __cpuid_count(7, 0, a, b, c, d);
    if (b & bit_AVX2)
        features |= CPU_AVX2;
    if (c & bit_VPCLMULQDQ)
        features |= CPU_VPCLMULQDQ;
    if (d & CPUID_FSRM && intel)
        features |= CPU_FSRM;
    const uint32_t wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    if ((b & wanted) == wanted && (saved & XCR0_MASK_ZMM) == XCR0_MASK_ZMM)
        features |= CPU_AVX512 | (c & bit_AVX512VBMI ? CPU_AVX512VBMI : 0u);
    if (d & CPUID_FSRM && !intel && features & CPU_AVX512VBMI)
        features |= CPU_FSRM_L2;
    return features;
}
