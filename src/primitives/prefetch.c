/*
 * prefetch.c: memory into the caches, and pages into the page tables.
 *
 * Two layers, two tools. A prefetch instruction moves a line from memory to the caches; it is
 * dropped, silently, if its page has no mapping yet. Pages come in by a fault or a system call.
 *
 * Must never fault, whatever the pointer.
 */
#include "coldboost.h"

#include "base/sys.h"
#include "pause.h"

#define LINE_BYTES 64u

/* The smallest second-level cache of the CPUs this is for: more would evict its own first lines. */
#define PREFETCH_MAX_BYTES (256u << 10)

/*
 * A CPU has buffers for 10 to 24 misses, and Zen 3 drops the requests that find none free: of 64
 * KiB asked for at once a third never came, of 256 KiB three quarters. After every so many lines a
 * spin-wait hint, 27 ns there, lets memory keep pace.
 */
#define LINES_AT_ONCE 8

void prefetch_critical_memory(const void *p, size_t n)
{
    if (!n)
        return;
    if (n > PREFETCH_MAX_BYTES)
        n = PREFETCH_MAX_BYTES;
    /* Integers: the range need not be an object, and may end at the end of the address space. */
    uintptr_t first = (uintptr_t)p / LINE_BYTES;
    uintptr_t last =
        ((uintptr_t)p > UINTPTR_MAX - (n - 1) ? UINTPTR_MAX : (uintptr_t)p + (n - 1)) / LINE_BYTES;
    for (uintptr_t line = first; line <= last; line++) {
        if (line > first && (line - first) % LINES_AT_ONCE == 0)
            cb_pause();
        __builtin_prefetch((const void *)(line * LINE_BYTES), 0, 3);
    }
}

/* Kernel ABI; older headers lack it. */
#define ADVICE_POPULATE_READ 22 /* Linux 5.14 */

/*
 * Faults the pages in through the kernel, which reads a byte of each: what the CPU would do, but an
 * unreadable page is an error and not a signal.
 */
static long touch_pages(uintptr_t start, size_t bytes, size_t page_bytes)
{
    enum { BATCH = 64 };
    long self = sys_getpid();
    uint8_t sink[BATCH];
    struct sys_io_vector local = {sink, 0}, remote[BATCH];
    while (bytes) {
        size_t count = 0;
        for (; bytes && count < BATCH; count++) {
            remote[count] = (struct sys_io_vector){(void *)start, 1};
            start += page_bytes;
            bytes -= bytes < page_bytes ? bytes : page_bytes;
        }
        local.bytes = count;
        long got = sys_read_memory(self, &local, remote, count);
        if (got < 0)
            return got;
        if ((size_t)got < count)
            return -EFAULT;
    }
    return 0;
}

int coldboost_page_in(const void *p, size_t n)
{
    const size_t page_bytes = 4096; /* the smallest there is; larger pages are touched more often */
    if (!n)
        return 0;
    uintptr_t start = (uintptr_t)p & ~(uintptr_t)(page_bytes - 1);
    size_t head = (uintptr_t)p - start;
    if (n > UINTPTR_MAX - (uintptr_t)p)
        return -ENOMEM;
    size_t bytes = (head + n + page_bytes - 1) & ~(page_bytes - 1);

    int result = sys_madvise((void *)start, bytes, ADVICE_POPULATE_READ);
    if (result != -EINVAL)
        return result;
    /* Before 5.14, or start is not at a page of this machine. Start the reads, then wait for them.
     */
    sys_madvise((void *)start, bytes, MADV_WILLNEED);
    return (int)touch_pages(start, bytes, page_bytes);
}
