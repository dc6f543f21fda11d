#include "start/handover.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

Test(handover, is_for_one_process)
{
    struct handover handover;
    char text[80];
    snprintf(text, sizeof text, "%ld:123456789012:3:2:18446744073709551615", (long)getpid());
    cr_assert(handover_parse(text, &handover));
    cr_assert_eq(handover.started_ns, UINT64_C(123456789012));
    cr_assert_eq(handover.start, 3);
    cr_assert_eq(handover.arm, 2);
    cr_assert_eq(handover.executable_hash, UINT64_MAX);
    snprintf(text, sizeof text, "%ld", (long)getpid());
    cr_assert(handover_parse(text, &handover));
    cr_assert_eq(handover.started_ns, 0);
    snprintf(text, sizeof text, "%ld:5", (long)getpid() + 1);
    cr_assert_not(handover_parse(text, &handover));
    static const char *const wrong[] = {"", "x", "0", ":", "::::::", "0:1:2:3", "-1", "1x:2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(handover_parse(wrong[i], &handover), "%s", wrong[i]);
    cr_assert_not(handover_parse(NULL, &handover));
}

static const struct handover example = {
    .started_ns = UINT64_C(123456789012), .start = 2, .arm = 1, .executable_hash = UINT64_MAX};

static bool take(char *const *block, struct handover *out)
{
    struct options options;
    options_read(block, &options);
    return handover_take(block, &options, out);
}

static bool is_example(const struct handover *found)
{
    return memcmp(found, &example, sizeof example) == 0;
}

Test(handover, goes_through_the_environment_of_exec)
{
    struct handover found;
    char variable[sizeof HANDOVER_VARIABLE "=" + HANDOVER_BYTES] = HANDOVER_VARIABLE "=";
    char first[] = "PATH=/bin";
    char *const nothing[] = {first, NULL}, *const block[] = {first, variable, NULL};
    handover_write(&example, variable + strlen(variable));
    cr_assert(take(block, &found), "%s", variable);
    cr_expect(is_example(&found));
    cr_expect_not(take(nothing, &found));
}

Test(handover, goes_in_front_of_an_auditors_variable)
{
    struct handover found;
    char first[] = "PATH=/bin", audit[] = "LD_AUDIT=/opt/lib/libcoldboost.so";
    char *const without[] = {first, NULL}, *const block[] = {first, audit, NULL};
    handover_leave(without, &example);
    cr_expect_eq(without[0], first);
    handover_leave(block, &example);
    cr_assert_neq(block[1], audit, "a copy");
    cr_expect_str_eq(block[1], audit);
    cr_assert(take(block, &found));
    cr_expect(is_example(&found));
    cr_expect_eq(block[1], audit, "the block is as it was");
    cr_expect_not(take(block, &found), "once");
}
