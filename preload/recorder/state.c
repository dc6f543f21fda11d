/*
 * state.c: what the recorder remembers. Its own memory is wiped in a child of fork, which is
 * another process in the trace; all else is the same there.
 */
#include "recorder/state.h"

#include "base/sys.h"

#include <linux/limits.h>

extern unsigned long getauxval(unsigned long type) __attribute__((weak));

enum { RECENT = 256 };

/* Zero in a child of fork (MADV_WIPEONFORK): it finds no process name and no lock. */
struct own {
    _Atomic uint32_t process; /* this process in the trace; 0: not yet */
    _Atomic uint32_t scanning;
    _Atomic uint64_t next_look_ns; /* where nobody watches; 0: not yet set */
    _Atomic uint64_t next_unloading_ns;
    _Atomic uint32_t loaded;         /* objects, at the last unloading that was looked at */
    _Atomic uint64_t recent[RECENT]; /* single pages noted lately: file << 32 | page */
};

static struct trace_header *trace;
static struct own *own;
static uint64_t page_bytes = 4096;
static bool left;

bool record_join(const char *trace_path)
{
    page_bytes = getauxval ? getauxval(6 /* AT_PAGESZ */) : page_bytes;
    size_t bytes = (sizeof *own + page_bytes - 1) / page_bytes * page_bytes;
    own = sys_map(bytes, MAP_PRIVATE);
    if (own)
        sys_madvise(own, bytes, MADV_WIPEONFORK);
    trace = trace_map(trace_path);
    return record_process() != 0;
}

/* Others may be about to add to the trace: it stays where it is. */
void record_leave(void)
{
    left = true;
}

bool record_takes_part(void)
{
    return trace && !left;
}

static void attach(void)
{
    char path[PATH_MAX];
    long length = sys_readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0)
        return;
    uint32_t pid = (uint32_t)sys_getpid();
    own->process = trace_add_process(trace, pid, path, (uint32_t)length);
    trace->pids[trace->pid_count++ % TRACE_PIDS] = pid;
}

uint32_t record_process(void)
{
    if (!record_takes_part() || !own || trace->finished)
        return 0;
    if (trace->alone_ns && trace_now(trace) > trace->alone_ns) {
        trace->finished = 1;
        return 0;
    }
    if (!own->process)
        attach();
    return own->process;
}

struct trace_header *record_trace(void)
{
    return trace;
}

void record_range_at(uint64_t time_ns, uint32_t file, uint64_t first_page, uint64_t page_count,
                     enum trace_how how)
{
    struct trace_range range = {
        .process = own->process,
        .file = file,
        .first_page = (uint32_t)first_page,
        .page_count = (uint32_t)page_count,
        .how = how,
        .time_ns = time_ns,
    };
    trace_add_range(trace, &range);
}

void record_range(uint32_t file, uint64_t first_page, uint64_t page_count, enum trace_how how)
{
    record_range_at(trace_now(trace), file, first_page, page_count, how);
}

bool record_seen_lately(uint32_t file, uint64_t page)
{
    uint64_t key = (uint64_t)file << 32 | (uint32_t)page;
    return atomic_exchange(&own->recent[(file * 31 + page) % RECENT], key) == key;
}

bool record_is_time_to_look(void)
{
    enum { FIRST_NS = 8000000 };
    uint64_t now;
    if (!trace->alone_ns || (now = trace_now(trace)) < own->next_look_ns)
        return false;
    bool is_set = own->next_look_ns;
    own->next_look_ns = is_set ? 2 * now : now + FIRST_NS;
    return is_set;
}

bool record_is_time_to_unload(uint32_t loaded)
{
    enum { PAUSE_NS = 5000000 };
    uint64_t now = trace_now(trace);
    if (own->loaded == loaded && now < own->next_unloading_ns)
        return false;
    own->loaded = loaded;
    own->next_unloading_ns = now + PAUSE_NS;
    return true;
}

bool record_wants_random_mappings(void)
{
    return record_takes_part() && !trace->readahead_is_off;
}

uint64_t record_page_bytes(void)
{
    return page_bytes;
}

void record_scan(struct page_scan *scan)
{
    scan->maps = "/proc/self/maps";
    scan->pagemap = "/proc/self/pagemap";
    scan->to = scan->to ? scan->to : UINTPTR_MAX;
    scan->page_bytes = page_bytes;
    pages_scan(scan);
}

/*
 * The wait is bounded: a signal handler may have interrupted the scan that it would be waiting for,
 * and a child of vfork may have been killed in one.
 */
bool record_begin_scan(void)
{
    for (int i = 0; i < 200; i++) {
        uint32_t idle = 0;
        if (atomic_compare_exchange_strong(&own->scanning, &idle, 1))
            return true;
        sys_sleep_ns(1000000);
    }
    return false;
}

void record_end_scan(void)
{
    own->scanning = 0;
}
