/*
 * generic/crc32c.h: no variants yet.
 */
#ifndef CB_ARCH_CRC32C_H
#define CB_ARCH_CRC32C_H

static crc_function *crc32c_choose(uint32_t features)
{
    (void)features;
    return crc32c_portable;
}

#endif
