/*
 * generic/memcpy.h: no variant beyond the one of memcpy.c.
 */
#ifndef CB_ARCH_MEMCPY_H
#define CB_ARCH_MEMCPY_H

static struct memcpy_kernel memcpy_choose(uint32_t features)
{
    (void)features;
    return (struct memcpy_kernel){memcpy_portable, 128};
}

#endif
