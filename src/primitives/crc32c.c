/*
 * crc32c.c: CRC-32C (Castagnoli), the checksum of iSCSI, SCTP, ext4 and btrfs: P = 0x11EDC6F41, for
 * which x86 (SSE4.2) and aarch64 have an instruction.
 *
 * The method is in crc.h, the variants are in src/arch/.../crc32c.h.
 */
#include "primitives/loops.h"

#include "coldboost.h"
#include "primitives/cpu.h"
#include "primitives/crc.h"

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_by_tables(crc, p, n, &crc32c_tables);
}

#include "crc32c.h"

static crc_function crc32c_first_call;
static crc_function *crc32c_kernel = crc32c_first_call;

/* Chooses the kernel, once. Two threads may both get here; they choose the same. */
static uint32_t crc32c_first_call(uint32_t crc, const uint8_t *p, size_t n)
{
    crc_function *chosen = crc32c_choose(cpu_features());
    __atomic_store_n(&crc32c_kernel, chosen, __ATOMIC_RELAXED);
    return chosen(crc, p, n);
}

CRC_INLINE uint32_t crc32c_by_kernel(uint32_t crc, const void *data, size_t n)
{
    return __atomic_load_n(&crc32c_kernel, __ATOMIC_RELAXED)(crc, data, n);
}

uint32_t coldboost_crc32c_update(uint32_t crc, const void *data, size_t n)
{
    return crc32c_by_kernel(crc, data, n);
}

uint32_t coldboost_crc32c(const void *data, size_t n)
{
    return crc32c_by_kernel(0, data, n);
}

uint32_t coldboost_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t length_b)
{
    return crc_combine(crc_a, crc_b, length_b, &crc32c_tables);
}
