/*
 * generic/crc32.h: no variants yet.
 */
#ifndef CB_ARCH_CRC32_H
#define CB_ARCH_CRC32_H

static crc_function *crc32_choose(uint32_t features)
{
    (void)features;
    return crc32_portable;
}

#endif
