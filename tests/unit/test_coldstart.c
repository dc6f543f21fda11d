#include "coldboost.h"

#include <criterion/criterion.h>
#include <pthread.h>

/* Criterion runs every test in a process of its own: each begins with the flag unset. */

Test(coldstart, is_true_once)
{
    cr_assert(is_cold_start());
    cr_assert_not(is_cold_start());
    cr_assert_not(is_cold_start_asm());
    cr_assert_not(coldboost_is_cold_start_inline());
}

Test(coldstart, is_one_flag_under_its_old_name)
{
    cr_assert(is_cold_start_asm());
    cr_assert_not(is_cold_start());
}

Test(coldstart, is_one_flag_when_compiled_in)
{
    cr_assert(coldboost_is_cold_start_inline());
    cr_assert_not(coldboost_is_cold_start_inline());
    cr_assert_not(is_cold_start());
}

Test(coldstart, compiled_in_learns_that_another_was_first)
{
    cr_assert(is_cold_start());
    cr_assert_not(coldboost_is_cold_start_inline());
    cr_assert_not(coldboost_is_cold_start_inline());
}

static pthread_barrier_t barrier;

static void *ask(void *argument)
{
    bool (*const ways[])(void) = {is_cold_start, is_cold_start_asm, coldboost_is_cold_start_inline};
    pthread_barrier_wait(&barrier);
    return (void *)(uintptr_t)ways[(uintptr_t)argument % 3]();
}

Test(coldstart, is_true_for_one_of_many_threads)
{
    enum { THREADS = 48 };
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, ask, (void *)i), 0);
    uintptr_t winners = 0;
    for (int i = 0; i < THREADS; i++) {
        void *won;
        pthread_join(threads[i], &won);
        winners += (uintptr_t)won;
    }
    cr_assert_eq(winners, 1);
}
