/*
 * generic/memcpy.h: no variant beyond the one of memcpy.c.
 */
#ifndef CB_ARCH_MEMCPY_H
#define CB_ARCH_MEMCPY_H

static memcpy_function *memcpy_choose(uint32_t features)
{
    (void)features;
    return memcpy_portable;
}

#endif
