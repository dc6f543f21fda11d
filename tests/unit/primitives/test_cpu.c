#include "primitives/cpu.h"

#include "cpu_features.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static uint32_t parse(const char *text)
{
    uint32_t set = 0;
    cr_assert_eq(cpu_parse(text, &set), 0, "%s", text);
    return set;
}

Test(cpu, reads_none_and_all)
{
    cr_assert_eq(parse("none"), 0);
    cr_assert_eq(parse("all"), CPU_ALL);
    cr_assert_eq(parse("none,all"), CPU_ALL);
}

Test(cpu, reads_every_name_of_this_architecture)
{
    uint32_t sum = 0;
    for (const struct cpu_feature_name *entry = cpu_feature_names; entry->name; entry++) {
        cr_assert_eq(parse(entry->name), entry->bit);
        cr_assert_eq(sum & entry->bit, 0, "%s has another's bit", entry->name);
        sum |= entry->bit;
    }
    cr_assert_eq(sum >> 31, 0, "the highest bit means detected");
}

Test(cpu, reads_names_in_any_order)
{
    for (const struct cpu_feature_name *entry = cpu_feature_names; entry->name; entry++) {
        char text[64];
        snprintf(text, sizeof text, "%s,none,%s", entry->name, cpu_feature_names->name);
        cr_assert_eq(parse(text), entry->bit | cpu_feature_names->bit);
    }
}

Test(cpu, refuses_what_is_no_name)
{
    static const char *const wrong[] = {"",          "abacus", "avx",  "avx22", "all,", ",all",
                                        "all,,none", "AVX2",   " all", "nonee", "non"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t set = 0x55;
        cr_assert_eq(cpu_parse(wrong[i], &set), -EINVAL, "'%s'", wrong[i]);
        cr_assert_eq(set, 0x55, "'%s' changed the set", wrong[i]);
    }
}

Test(cpu, allows_only_what_the_mask_allows)
{
    uint32_t all = cpu_features();
    cpu_mask(0);
    cr_assert_eq(cpu_features(), 0);
    for (uint32_t bit = 1; bit; bit <<= 1) {
        cpu_mask(bit);
        cr_assert_eq(cpu_features(), all & bit);
    }
    cpu_mask(CPU_ALL);
    cr_assert_eq(cpu_features(), all);
}
