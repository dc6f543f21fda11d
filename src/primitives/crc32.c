/*
 * crc32.c: CRC-32 (IEEE), the checksum of zlib, gzip, PNG and Ethernet: P = 0x104C11DB7.
 *
 * The method is in crc.h, the variants are in src/arch/.../crc32.h.
 */
#include "primitives/loops.h"

#include "coldboost.h"
#include "primitives/cpu.h"
#include "primitives/crc.h"

static uint32_t crc32_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_by_tables(crc, p, n, &crc32_tables);
}

#include "crc32.h"

static crc_function crc32_first_call;
static crc_function *crc32_kernel = crc32_first_call;

/* CPUID traps under hypervisors; up to so many bytes the tables are cheaper. */
#define CHOOSE_FROM_BYTES (32u << 10)

/* Chooses the kernel, once it is worth it. Two threads may both get here; they choose the same. */
static uint32_t crc32_first_call(uint32_t crc, const uint8_t *p, size_t n)
{
    static size_t bytes;
    if (n < CHOOSE_FROM_BYTES &&
        __atomic_add_fetch(&bytes, n, __ATOMIC_RELAXED) < CHOOSE_FROM_BYTES)
        return crc32_portable(crc, p, n);
    crc_function *chosen = crc32_choose(cpu_features());
    __atomic_store_n(&crc32_kernel, chosen, __ATOMIC_RELAXED);
    return chosen(crc, p, n);
}

CRC_INLINE uint32_t crc32_by_kernel(uint32_t crc, const void *data, size_t n)
{
    return __atomic_load_n(&crc32_kernel, __ATOMIC_RELAXED)(crc, data, n);
}

uint32_t coldboost_crc32_update(uint32_t crc, const void *data, size_t n)
{
    return crc32_by_kernel(crc, data, n);
}

uint32_t hardware_crc32(const void *data, size_t n)
{
    return crc32_by_kernel(0, data, n);
}

uint32_t coldboost_telemetry_checksum(const void *data, size_t n)
{
    return crc32_by_kernel(0, data, n);
}

uint32_t coldboost_crc32_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    return crc_combine(crc_a, crc_b, length_b, &crc32_tables);
}
