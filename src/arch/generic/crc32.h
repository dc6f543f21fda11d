/*
 * generic/crc32.h: no variants yet.
 */
#pragma once

static crc_function *crc32_choose(uint32_t features)
{
    (void)features;
    return crc32_portable;
}
