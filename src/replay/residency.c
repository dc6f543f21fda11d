/*
 * residency.c: asks the kernel about one page, in the one way that tells the truth.
 *
 * preadv2(RWF_NOWAIT), not mincore() or cachestat(): those answer "resident", or nothing, for files
 * that we neither own nor may write (Linux 5.2). Newer kernels start a read as they answer, and
 * where the disk is fast enough the answer is then the byte itself. Whether this thread has read
 * from a disk meanwhile tells the difference; how long the answer took does not, since a busy
 * machine makes a page in memory late. A kernel that does not count reads (TASK_IO_ACCOUNTING)
 * takes such a byte for one in memory, as one of many samples.
 */
#include "replay/residency.h"

#include "base/sys.h"

static long blocks_read(void)
{
    struct rusage usage;
    sys_usage(RUSAGE_THREAD, &usage);
    return usage.ru_inblock;
}

bool file_page_is_resident(int fd, uint64_t offset)
{
    char byte;
    long before = blocks_read();
    return sys_pread_nowait(fd, &byte, 1, offset) == 1 && blocks_read() == before;
}
