/*
 * cpu.h: which of the instructions that the kernels know this CPU has.
 *
 * The features of an architecture are in src/arch/.../cpu_features.h: CPU_<NAME> bits, their names,
 * and how to find them. Detection costs microseconds under a hypervisor (cpuid traps), so it
 * happens once, on the first use of a kernel, and never in a constructor.
 */
#pragma once

#include <stdint.h>

#define CPU_ALL UINT32_MAX

/*
 * The features that this CPU and its kernel support, the mask allows, and this build knows: a set
 * of CPU_… bits. Thread- and async-signal-safe.
 */
uint32_t cpu_features(void);

/*
 * Allows only the features in `allowed`, for tests. A kernel chooses its variant on its first call
 * and keeps it: mask before that.
 */
void cpu_mask(uint32_t allowed);

/*
 * Reads a mask: names separated by commas ("pclmul,avx2"), "none" or "all". Returns 0, or -EINVAL,
 * with *set as it was, for a name that this architecture does not have, or an empty one.
 */
int cpu_parse(const char *text, uint32_t *set);
