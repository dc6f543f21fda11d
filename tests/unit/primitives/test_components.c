#include "coldboost.h"

#include <criterion/criterion.h>
#include <string.h>

static char order[16];

static int succeed(void *context)
{
    strncat(order, context, 1);
    return 0;
}

static int fail_with_7(void *context)
{
    strncat(order, context, 1);
    return 7;
}

static struct coldboost_component component(const char *name, int priority, size_t memory_bytes,
                                            int (*init)(void *))
{
    return (struct coldboost_component){.name = name,
                                        .priority = priority,
                                        .memory_bytes = memory_bytes,
                                        .init = init,
                                        .context = (void *)(uintptr_t)name};
}

Test(components, may_be_none)
{
    cr_assert_eq(coldboost_preload_components(NULL, 0, 0), 0);
}

Test(components, start_by_priority_and_ties_in_order)
{
    struct coldboost_component all[] = {
        component("a", 0, 0, succeed),  component("b", 5, 0, succeed),
        component("c", -3, 0, succeed), component("d", 5, 0, succeed),
        component("e", 9, 0, succeed),
    };
    cr_assert_eq(coldboost_preload_components(all, 5, 0), 5);
    cr_assert_str_eq(order, "ebdac");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(all[i].state, COLDBOOST_COMPONENT_READY);
}

Test(components, that_do_not_fit_make_room_for_smaller_ones)
{
    struct coldboost_component all[] = {
        component("a", 3, 60, succeed),
        component("b", 2, 50, succeed),
        component("c", 1, 40, succeed),
        component("d", 0, 1, succeed),
    };
    cr_assert_eq(coldboost_preload_components(all, 4, 100), 2);
    cr_assert_str_eq(order, "ac");
    cr_assert_eq(all[1].state, COLDBOOST_COMPONENT_SKIPPED_MEMORY);
    cr_assert_eq(all[3].state, COLDBOOST_COMPONENT_SKIPPED_MEMORY);
}

Test(components, have_no_limit_if_it_is_0)
{
    struct coldboost_component all[] = {
        component("a", 1, SIZE_MAX, succeed),
        component("b", 0, SIZE_MAX, succeed),
    };
    cr_assert_eq(coldboost_preload_components(all, 2, 0), 2);
}

Test(components, that_fail_free_their_share)
{
    struct coldboost_component all[] = {
        component("a", 2, 80, fail_with_7),
        component("b", 1, 80, succeed),
        component("c", 0, 80, succeed),
    };
    cr_assert_eq(coldboost_preload_components(all, 3, 100), 1);
    cr_assert_str_eq(order, "ab");
    cr_assert_eq(all[0].state, COLDBOOST_COMPONENT_FAILED);
    cr_assert_eq(all[0].error, 7);
    cr_assert_eq(all[1].state, COLDBOOST_COMPONENT_READY);
    cr_assert_eq(all[1].error, 0);
    cr_assert_eq(all[2].state, COLDBOOST_COMPONENT_SKIPPED_MEMORY);
}

Test(components, without_init_are_skipped)
{
    struct coldboost_component all[] = {component("a", 0, 200, NULL),
                                        component("b", 0, 1, succeed)};
    cr_assert_eq(coldboost_preload_components(all, 2, 100), 1);
    cr_assert_eq(all[0].state, COLDBOOST_COMPONENT_SKIPPED_EMPTY);
}

Test(components, forget_what_was_before)
{
    struct coldboost_component all[] = {component("a", 0, 0, succeed), component("b", 0, 0, NULL)};
    all[0].state = all[1].state = COLDBOOST_COMPONENT_FAILED;
    all[0].error = all[1].error = 3;
    cr_assert_eq(coldboost_preload_components(all, 2, 0), 1);
    cr_assert_eq(all[0].state, COLDBOOST_COMPONENT_READY);
    cr_assert_eq(all[0].error, 0);
    cr_assert_eq(all[1].state, COLDBOOST_COMPONENT_SKIPPED_EMPTY);
    cr_assert_eq(all[1].error, 0);
}
