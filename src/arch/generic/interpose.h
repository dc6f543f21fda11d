/*
 * generic/interpose.h: an exported function that hands its call on; see the x86_64 one.
 *
 * Without code for the architecture only zlib's own signature survives the way through.
 */
#ifndef CB_ARCH_INTERPOSE_H
#define CB_ARCH_INTERPOSE_H

#include <stddef.h>
#include <stdint.h>

#define CB_INTERPOSE(name, target, resolve)                                                        \
    unsigned long name(unsigned long crc, const uint8_t *data, size_t n)                           \
    {                                                                                              \
        unsigned long (*next)(unsigned long, const uint8_t *, size_t) =                            \
            target ? target : resolve(__builtin_return_address(0), #name);                         \
        return next(crc, data, n);                                                                 \
    }                                                                                              \
    extern int cb_interpose_##name

#endif
