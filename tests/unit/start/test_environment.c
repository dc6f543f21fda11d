#include "start/environment.h"

#include <criterion/criterion.h>

static char runtime_api[] = "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001";
static char task_root[] = "LAMBDA_TASK_ROOT=/var/task";
static char memory[] = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512";

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
