#include "environment.h"

#include "budget.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/sysinfo.h>

static char runtime_api[] = "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001";
static char task_root[] = "LAMBDA_TASK_ROOT=/var/task";
static char memory[] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512";

Test(environment, tells_the_role)
{
    char *const runtime[] = {task_root, runtime_api, NULL};
    char *const extension[] = {runtime_api, NULL};
    char *const neither[] = {task_root, NULL};
    cr_assert_eq(environment_role(runtime), ROLE_RUNTIME);
    cr_assert_eq(environment_role(extension), ROLE_EXTENSION);
    cr_assert_eq(environment_role(neither), ROLE_OTHER);
    cr_assert_str_eq(role_name(ROLE_RUNTIME), "runtime");
    cr_assert_str_eq(role_name(ROLE_EXTENSION), "extension");
    cr_assert_str_eq(role_name(ROLE_OTHER), "other");
}

Test(environment, tells_what_memory_is_granted)
{
    char *const granted[] = {runtime_api, memory, NULL};
    char *const not_said[] = {runtime_api, NULL};
    cr_assert_eq(environment_memory_bytes(granted), UINT64_C(512) << 20);
    cr_assert_eq(environment_memory_bytes(not_said), 0);
}

Test(environment, first_init_is_kept)
{
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_COLD);
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_COLD);
    environment_set_start(COLDBOOST_START_WARM);
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_WARM);
}

Test(environment, a_known_start_is_not_overwritten)
{
    environment_set_start(COLDBOOST_START_WARM);
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_WARM);
}

Test(environment, any_block_can_be_prefetched)
{
    /* Pointers in no order, and a variable elsewhere: as after setenv(). */
    char *const envp[] = {task_root, runtime_api, memory, (char[]){"_HANDLER="}, NULL};
    environment_set(envp);
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_COLD);
}

Test(environment, an_empty_block_can_be_prefetched)
{
    char *const envp[] = {NULL};
    environment_set(envp);
    cr_assert_eq(coldboost_critical_init(), COLDBOOST_START_COLD);
}

Test(budget, is_half_of_what_there_is)
{
    struct sysinfo info;
    sysinfo(&info);
    uint64_t total = (uint64_t)info.totalram * info.mem_unit;
    uint64_t budget = budget_by_memory(0);
    cr_assert_gt(budget, 0);
    cr_assert_leq(budget, total / 2);
    cr_assert_eq(budget_by_memory(1 << 20), 1 << 19);
    cr_assert_leq(budget_by_memory(UINT64_MAX), total / 2);
}
