/*
 * x86_64/pause.h: the spin-wait hint and the counter that tells time.
 */
#pragma once

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

/* PAUSE: some 10 cycles on old Intel, 140 since Skylake, 80 on Zen 3. */
static inline void cb_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* The time stamp counter. */
static inline uint64_t cb_counter(void)
{
    return __builtin_ia32_rdtsc();
}

/* Whether it runs at one rate in every power state: cpuid says so of every CPU since 2008. */
static inline bool cb_counter_is_steady(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8;
}

/* 0: to be measured. Leaf 0x15 of cpuid would name it, but hypervisors leave it empty. */
static inline uint64_t cb_counter_hz(void)
{
    return 0;
}
