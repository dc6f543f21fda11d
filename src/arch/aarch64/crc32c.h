/*
 * aarch64/crc32c.h: by the CRC32 instructions, with PMULL beside them where there is one.
 */
#pragma once

#include "crc_streams.h"

static uint32_t crc32c_arm_crc(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_any(crc, p, n, &crc32c_factors, true, false);
}

static uint32_t crc32c_arm_crc_pmull(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_any(crc, p, n, &crc32c_factors, true, true);
}

static crc_function *crc32c_choose(uint32_t features)
{
    return crc_choose(features, crc32c_portable, crc32c_arm_crc, crc32c_arm_crc_pmull);
}
