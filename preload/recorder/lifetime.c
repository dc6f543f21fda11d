/*
 * lifetime.c: where libcoldboost-record.so begins and ends. It is preloaded into a program while it
 * is recorded, and notes in a shared trace what the program reads (the wrappers in wrap_*.c), and
 * which mapped pages it has touched when an image ends. The tool `coldboost record` samples the
 * mapped pages from outside while the program runs; no thread is added to it, so that programs
 * which must be single-threaded still are. Rules for all of it:
 *
 *  1. Never change what the program does, prints or returns; errno stays as the real call left it.
 *     It is not even looked at: a child may run on a thread pointer that leads nowhere (Chromium's
 *     sandbox helper does), and there libc can set errno, but nobody can ask where it is.
 *  2. System calls only (sys.h), and the next definition of the call that is being observed. No
 *     malloc, no stdio, no thread, no thread-local variable: all of this must work in a signal
 *     handler, between vfork and exec, and before libc is ready.
 *  3. Hold no lock across fork and no descriptor between calls.
 *  4. Touch nothing that would be charged to the program where it can be avoided.
 */
#include "recorder/lifetime.h"

#include "base/sys.h"
#include "recorder/call_stacks.h"
#include "recorder/carry.h"
#include "recorder/next.h"
#include "recorder/notes.h"
#include "recorder/state.h"
#include "recorder/streams.h"

extern int __cxa_atexit(void (*run)(void *), void *argument, void *object) __attribute__((weak));

static bool advise_random(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    sys_madvise((void *)mapping->start, mapping->end - mapping->start, MADV_RANDOM);
    return false;
}

static void at_exit(void *unused)
{
    (void)unused;
    record_exit();
}

/*
 * Runs before the initialisers of other objects (-z initfirst), when libc has no environ yet:
 * glibc's loader hands it over, also where there is no libc; musl does not and has it. An atexit
 * handler that belongs to no object, registered this early, runs after the destructors of all of
 * them.
 */
__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    bool musl = &environ && !gnu_get_libc_version;
    record_find_next();
    const char *trace_path = record_remember_environment(musl ? environ : envp);
    if (!trace_path || !record_join(trace_path))
        return;
    if (record_wants_random_mappings())
        record_scan(&(struct page_scan){.mapping = advise_random});
    record_loading();
    record_pages(0, UINTPTR_MAX);
    record_standard_input();
    if (__cxa_atexit)
        __cxa_atexit(at_exit, NULL, NULL);
}

void record_child(void)
{
    record_stacks_child();
    record_process();
}

void record_end(void)
{
    if (!record_process())
        return;
    record_open_streams();
    record_loaded();
    record_pages(0, UINTPTR_MAX);
}

void record_finish(enum trace_ready ready)
{
    enum { MOST_WAITS = 5000 };
    struct trace_header *trace = record_trace();
    record_end();
    trace->ready = ready;
    trace->finished = 1; /* here and now, not when the tool next looks */
    for (int i = 0; !trace->written && i < MOST_WAITS; i++)
        sys_sleep_ns(1000000);
}

void record_exit(void)
{
    if (record_process() && record_trace()->main_pid == (uint32_t)sys_getpid())
        record_finish(TRACE_ENDS);
    else
        record_end();
}

void record_stop(void)
{
    record_end();
    record_leave();
}
