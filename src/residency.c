/*
 * residency.c: asks the kernel about one page, in the one way that tells the truth.
 *
 * preadv2(RWF_NOWAIT), not mincore() or cachestat(): those answer "resident", or nothing, for files
 * that we neither own nor may write (Linux 5.2). Newer kernels start a read as they answer, and
 * where the disk is fast enough the answer is then the byte itself: how long it took tells the
 * difference. A page in memory takes 1 µs, a fast disk 30.
 */
#include "residency.h"

#include "sys.h"

#define RESIDENT_MAX_NS 20000u

bool file_page_is_resident(int fd, uint64_t offset)
{
    char byte;
    uint64_t from_ns = sys_monotonic_ns();
    long n = sys_pread_nowait(fd, &byte, 1, offset);
    return n == 1 && sys_monotonic_ns() - from_ns <= RESIDENT_MAX_NS;
}
