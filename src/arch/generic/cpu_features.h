/*
 * generic/cpu_features.h: no features beyond what the compiler may use anywhere.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cpu_feature_name {
    const char *name;
    uint32_t bit;
};

static const struct cpu_feature_name cpu_feature_names[] = {{NULL, 0}};

static inline uint32_t cpu_detect(void)
{
    return 0;
}
