/*
 * stamp.c: an object to preload that writes down when its constructor runs: the earliest that
 * libcoldboost.so, which is linked the same way, can begin. With EMPTY defined it does nothing:
 * what any preloaded object costs.
 */
#include "base/sys.h"

#ifndef EMPTY
__attribute__((constructor)) static void stamp(void)
{
    uint64_t now = sys_monotonic_ns();
    sys_write(100, (const char *)&now, sizeof now);
}
#endif
