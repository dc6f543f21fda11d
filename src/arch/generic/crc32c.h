/*
 * generic/crc32c.h: no variants yet.
 */
#pragma once

static crc_function *crc32c_choose(uint32_t features)
{
    (void)features;
    return crc32c_portable;
}
