/*
 * generic/interpose.h: an exported function that hands its call on; see the x86_64 one.
 *
 * Without code for the architecture only zlib's own signature survives the way through.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CB_INTERPOSE(name, target, resolve)                                                        \
    unsigned long name(unsigned long crc, const uint8_t *data, CB_LENGTH_##name n)                 \
    {                                                                                              \
        void (*next)(void) = target;                                                               \
        if (!next)                                                                                 \
            next = resolve((uintptr_t)__builtin_return_address(0), #name);                         \
        return ((unsigned long (*)(unsigned long, const uint8_t *, CB_LENGTH_##name))next)(        \
            crc, data, n);                                                                         \
    }                                                                                              \
    _Static_assert(1, "")
#define CB_LENGTH_crc32   unsigned
#define CB_LENGTH_crc32_z size_t
