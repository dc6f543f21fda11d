/*
 * cpu.c: feature bits, found once and lazily, maskable for tests.
 */
#include "primitives/cpu.h"

#include "cpu_features.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define DETECTED (1u << 31) /* no feature has this bit: "found" and the set change in one store */

static uint32_t detected;
static uint32_t allowed_features = CPU_ALL;

uint32_t cpu_features(void)
{
    uint32_t features = __atomic_load_n(&detected, __ATOMIC_RELAXED);
    if (!features) {
        /* Two threads may both get here; they find the same. */
        features = cpu_detect() | DETECTED;
        __atomic_store_n(&detected, features, __ATOMIC_RELAXED);
    }
    return features & ~DETECTED & __atomic_load_n(&allowed_features, __ATOMIC_RELAXED);
}

void cpu_mask(uint32_t allowed)
{
    __atomic_store_n(&allowed_features, allowed, __ATOMIC_RELAXED);
}

/* Whether the name is the text up to its next comma or end. */
static bool is_named(const char *text, const char *name)
{
    while (*name && *text == *name)
        text++, name++;
    return !*name && (!*text || *text == ',');
}

/* The bits of the name that text starts with; false if there is no such name. */
static bool look_up(const char *text, uint32_t *bits)
{
    if (is_named(text, "none"))
        *bits = 0;
    else if (is_named(text, "all"))
        *bits = CPU_ALL;
    else {
        const struct cpu_feature_name *entry = cpu_feature_names;
        while (entry->name && !is_named(text, entry->name))
            entry++;
        *bits = entry->bit;
        return entry->name != NULL;
    }
    return true;
}

int cpu_parse(const char *text, uint32_t *set)
{
    uint32_t sum = 0;
    for (;;) {
        uint32_t bits;
        if (!look_up(text, &bits))
            return -EINVAL;
        sum |= bits;
        while (*text && *text != ',')
            text++;
        if (!*text)
            break;
        text++;
    }
    *set = sum;
    return 0;
}
