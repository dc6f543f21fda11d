/*
 * coldstart.c: the flag that says whether this is the process's first look at itself.
 *
 * lock xchg costs some 20 cycles and takes the cache line for writing even when the answer has been
 * "no" for hours. So the flag is loaded first; only while it is unset do threads race to set it,
 * and the exchange (on x86 locked by itself) lets exactly one win.
 */
#include "coldboost.h"

static bool taken;

/* The order of other memory is the callers' business: acquire and release as std::call_once. */
bool is_cold_start(void)
{
    return !__atomic_load_n(&taken, __ATOMIC_ACQUIRE) &&
           !__atomic_exchange_n(&taken, true, __ATOMIC_ACQ_REL);
}

bool is_cold_start_asm(void) __attribute__((alias("is_cold_start")));
