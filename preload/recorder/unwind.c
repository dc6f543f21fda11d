/*
 * unwind.c: libcoldboost-stacks.so, which walks the call stack for the recorder.
 *
 * An object of its own, loaded only for `coldboost record --stacks`, so that nothing of libunwind
 * is in any other recording. The recorder sees to it that a thread never comes in here twice.
 */
#define UNW_LOCAL_ONLY
#include "recorder/unwind.h"

#include <errno.h>
#include <libunwind.h>
#include <pthread.h>

/*
 * No cache: it has a lock, which a child of fork would inherit locked, and it would still know the
 * frames of an object that was unloaded. The first walk sets libunwind up.
 */
__attribute__((constructor)) static void begin(void)
{
    uintptr_t addresses[4];
    unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_NONE);
    coldboost_walk_stack(addresses, 4);
}

__attribute__((visibility("default"))) unsigned coldboost_walk_stack(uintptr_t *addresses,
                                                                     unsigned room)
{
    int saved = errno, cancellation, unused;
    unw_context_t context;
    unw_cursor_t cursor;
    unsigned count = 0;
    /* A thread that is cancelled in here would never be let in again. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    if (unw_getcontext(&context) == 0 && unw_init_local(&cursor, &context) == 0) {
        while (count < room && unw_step(&cursor) > 0) {
            unw_word_t address;
            if (unw_get_reg(&cursor, UNW_REG_IP, &address) != 0 || !address)
                break;
            /* A return address may belong to the next function already. */
            addresses[count++] = (uintptr_t)address - !unw_is_signal_frame(&cursor);
        }
    }
    pthread_setcancelstate(cancellation, &unused);
    errno = saved;
    return count;
}
