/*
 * slowfs.h: what can be asked of a slowfs mount, by ioctl() on any of its folders.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

struct slowfs_statistics {
    uint64_t chunks;       /* first touches since the mount or the last forget */
    uint64_t reads;        /* requests that reached the file system since the mount */
    uint64_t delay_us;     /* latency that all first touches since the mount were given together */
    uint64_t most_at_once; /* first touches under way at the same time, since the mount */
};

/* Every chunk is untouched again. The kernel's page cache is another matter. */
#define SLOWFS_FORGET     _IO('s', 1)
#define SLOWFS_STATISTICS _IOR('s', 2, struct slowfs_statistics)
