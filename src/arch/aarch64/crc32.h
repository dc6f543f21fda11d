/*
 * aarch64/crc32.h: by the CRC32 instructions, with PMULL beside them where there is one.
 */
#pragma once

#include "crc_streams.h"

static uint32_t crc32_arm_crc(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_any(crc, p, n, &crc32_factors, false, false);
}

static uint32_t crc32_arm_crc_pmull(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc_any(crc, p, n, &crc32_factors, false, true);
}

static crc_function *crc32_choose(uint32_t features)
{
    return crc_choose(features, crc32_portable, crc32_arm_crc, crc32_arm_crc_pmull);
}
