/*
 * aarch64/cpu_features.h: the features that the kernels of this folder are chosen by.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    CPU_CRC32 = 1u << 0,
    CPU_PMULL = 1u << 1,
};

struct cpu_feature_name {
    const char *name;
    uint32_t bit;
};

static const struct cpu_feature_name cpu_feature_names[] = {
    {"crc32", CPU_CRC32},
    {"pmull", CPU_PMULL},
    {NULL, 0},
};

/* Weak, as all undefined symbols of the preloaded object: without it no feature is used. */
extern unsigned long getauxval(unsigned long type) __attribute__((weak));

static inline uint32_t cpu_detect(void)
{
    /* From the kernel's ABI: asm/hwcap.h and linux/auxvec.h. */
    const unsigned long at_hwcap = 16, hwcap_pmull = 1ul << 4, hwcap_crc32 = 1ul << 7;
    unsigned long hwcap = getauxval ? getauxval(at_hwcap) : 0;
    return (hwcap & hwcap_crc32 ? CPU_CRC32 : 0u) | (hwcap & hwcap_pmull ? CPU_PMULL : 0u);
}
