/*
 * aarch64/pause.h: the spin-wait hint and the counter that tells time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* ISB: YIELD is a no-op on most cores, ISB takes some 10 to 20 ns. */
static inline void cb_pause(void)
{
    __asm__ volatile("isb" ::: "memory");
}

/* The virtual counter of the generic timer. ISB: it may otherwise be read ahead of its turn. */
static inline uint64_t cb_counter(void)
{
    uint64_t value;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value)::"memory");
    return value;
}

static inline bool cb_counter_is_steady(void)
{
    return true;
}

static inline uint64_t cb_counter_hz(void)
{
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz;
}
