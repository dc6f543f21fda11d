#include "coldboost.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

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

enum { THREADS = 4, ROUNDS = 150 };
static int ready;

/* All leave the loop within some nanoseconds of each other. Who has waited for long lets others
 * run, where there are fewer processors than threads. */
static void *ask(void *argument)
{
    bool (*const ways[])(void) = {is_cold_start, is_cold_start_asm, coldboost_is_cold_start_inline};
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    for (unsigned spins = 1; __atomic_load_n(&ready, __ATOMIC_SEQ_CST) < THREADS; spins++)
        if (spins % 4096 == 0)
            sched_yield();
    return (void *)(uintptr_t)ways[(uintptr_t)argument % 3]();
}

static int count_winners(void)
{
    pthread_t threads[THREADS];
    int winners = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, ask, (void *)i) != 0)
            return -1;
    for (int i = 0; i < THREADS; i++) {
        void *won;
        pthread_join(threads[i], &won);
        winners += (int)(uintptr_t)won;
    }
    return winners;
}

/* A process has one first time: every round is a child. */
Test(coldstart, is_true_for_one_of_many_threads)
{
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0)
            _exit(count_winners());
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFEXITED(status));
        cr_assert_eq(WEXITSTATUS(status), 1, "round %d", round);
    }
}
