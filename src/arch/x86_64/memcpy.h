/*
 * x86_64/memcpy.h: no variants yet.
 */
#ifndef CB_ARCH_MEMCPY_H
#define CB_ARCH_MEMCPY_H

static memcpy_function *memcpy_choose(uint32_t features)
{
    (void)features;
    return memcpy_portable;
}

#endif
