/*
 * generic/pause.h: the spin-wait hint and the counter that tells time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* no hint is known: a compiler barrier. */
static inline void cb_pause(void)
{
    __asm__ volatile("" ::: "memory");
}

/* No counter: waits read the clock. */
static inline uint64_t cb_counter(void)
{
    return 0;
}

static inline bool cb_counter_is_steady(void)
{
    return false;
}

static inline uint64_t cb_counter_hz(void)
{
    return 0;
}
