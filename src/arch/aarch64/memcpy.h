/*
 * aarch64/memcpy.h: memcpy.c compiles to NEON here; nothing is wider.
 */
#include "../generic/memcpy.h"
