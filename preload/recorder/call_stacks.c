/*
 * call_stacks.c: who caused this read? With `coldboost record --stacks` the first use of each
 * file puts the call stack into the trace.
 *
 * Walking a stack is libunwind's work and breaks the recorder's rules: it takes locks and may call
 * what is wrapped here. So it is kept out where that could hurt: a thread that is walking already
 * (a call from within, or a signal handler), a child of vfork (it shares our memory and may be
 * killed at any time), and a child of fork whose parent was walking in another thread. Each of them
 * goes without a stack.
 */
#include "recorder/call_stacks.h"

#include "base/sys.h"
#include "interpose.h"
#include "recorder/next.h"
#include "recorder/state.h"
#include "recorder/unwind.h"

#include <dlfcn.h>

#pragma weak dlerror
#pragma weak dlsym

enum {
    THREADS = 16,                  /* that walk at the same time */
    FRAMES = TRACE_STACK_DEPTH + 8 /* the innermost are the recorder's own */
};

/* A stack, its addresses as objects and offsets. */
struct stack {
    uint32_t count;
    uintptr_t addresses[FRAMES];
    struct trace_frame frames[FRAMES];
};

static __typeof__(coldboost_walk_stack) *walk;
static uint32_t pid; /* that may walk */
static _Atomic uint32_t walking[THREADS];

/* ---- walking -------------------------------------------------------------------------------- */

/* The place of this thread in `walking`; -1: it must not walk. */
static int enter(uint32_t thread)
{
    int place = -1;
    for (int i = 0; i < THREADS; i++)
        if (walking[i] == thread)
            return -1;
    for (int i = 0; i < THREADS && place < 0; i++) {
        uint32_t nobody = 0;
        if (atomic_compare_exchange_strong(&walking[i], &nobody, thread))
            place = i;
    }
    return place;
}

static bool find_object(struct page_scan *scan, const struct mapping *mapping)
{
    struct stack *stack = scan->context;
    uint32_t file = 0;
    for (uint32_t i = 0; i < stack->count; i++) {
        uintptr_t address = stack->addresses[i];
        if (address < mapping->start || address >= mapping->end)
            continue;
        if (!file)
            file = trace_mapped_file(record_trace(), mapping);
        stack->frames[i].file = file;
        stack->frames[i].offset = address - mapping->start + mapping->offset;
    }
    return false;
}

/* Fills in the stack of this thread; false if it has to do without. */
static bool take_stack(struct stack *stack)
{
    uint32_t thread = (uint32_t)sys_gettid();
    int place = (uint32_t)sys_getpid() == pid ? enter(thread) : -1;
    if (place < 0)
        return false;
    stack->count = walk(stack->addresses, FRAMES);
    for (uint32_t i = 0; i < stack->count; i++)
        stack->frames[i] = (struct trace_frame){0};
    walking[place] = 0;
    return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

bool record_wants_stacks(void)
{
    return walk != NULL;
}

void record_stack(uint32_t file)
{
    struct stack stack;
    uint32_t process = record_process();
    if (!walk || !process || trace_file_at(record_trace(), file)->has_stack)
        return;
    record_loaded();
    if (!take_stack(&stack))
        return;
    record_scan(&(struct page_scan){.mapping = find_object, .context = &stack});
    if (trace_claim_stack(record_trace(), file))
        trace_add_stack(record_trace(), process, file, stack.frames, stack.count);
}

/* ---- objects: dlopen finds and maps them unseen, so who called it waits until they are there --
 */

enum { EMPTY, BUSY, FULL };
static _Atomic uint32_t pending_state;
static struct stack pending;

static bool blame_pending(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    if (!mapping->executable)
        return false;
    uint32_t file = trace_mapped_file(record_trace(), mapping);
    if (file && trace_claim_stack(record_trace(), file))
        trace_add_stack(record_trace(), record_process(), file, pending.frames, pending.count);
    return false;
}

void record_loaded(void)
{
    uint32_t full = FULL;
    if (!walk || !record_process() || !atomic_compare_exchange_strong(&pending_state, &full, BUSY))
        return;
    record_scan(&(struct page_scan){.mapping = blame_pending});
    pending_state = EMPTY;
}

static void *no_dlopen(void)
{
    return NULL;
}

__attribute__((visibility("hidden"), used)) void *cb_dlopen_target;
__attribute__((visibility("hidden"), used)) void *cb_dlopen_resolve(uintptr_t caller,
                                                                    const char *name);

/* From the stub below, which jumps on: dlopen looks at its caller for the search path. */
void *cb_dlopen_resolve(uintptr_t caller, const char *name)
{
    (void)caller;
    (void)name;
    RECORD_NEXT(dlopen);
    record_loaded();
    uint32_t empty = EMPTY;
    if (walk && record_process() && atomic_compare_exchange_strong(&pending_state, &empty, BUSY)) {
        bool taken = take_stack(&pending);
        if (taken)
            record_scan(&(struct page_scan){.mapping = find_object, .context = &pending});
        pending_state = taken ? FULL : EMPTY;
    }
    return next ? (void *)(uintptr_t)next : (void *)(uintptr_t)no_dlopen;
}

#ifndef CB_LENGTH_crc32 /* the portable stub fits no other function than crc32 */
CB_INTERPOSE(dlopen, cb_dlopen_target, cb_dlopen_resolve);
#endif

/* ---- beginning ------------------------------------------------------------------------------ */

void record_stacks_child(void)
{
    for (int i = 0; i < THREADS; i++)
        if (walking[i])
            walk = NULL;
    pid = (uint32_t)sys_getpid();
}

/* What is there at the start, the loader has brought in for nobody in particular. */
static bool claim_mapping(struct page_scan *scan, const struct mapping *mapping)
{
    (void)scan;
    uint32_t file = trace_mapped_file(record_trace(), mapping);
    if (file)
        trace_claim_stack(record_trace(), file);
    return false;
}

/* RTLD_LOCAL: libunwind exports functions of libgcc_s, which must not serve the program. */
static void load_walker(void)
{
    RECORD_NEXT(dlopen);
    struct trace_header *trace = record_process() ? record_trace() : NULL;
    if (!trace || !trace->stacks[0] || !gnu_get_libc_version || !next)
        return;
    int saved = errno;
    void *object = next(trace->stacks, RTLD_NOW | RTLD_LOCAL);
    walk = object ? (__typeof__(walk))(uintptr_t)dlsym(object, "coldboost_walk_stack") : NULL;
    if (!walk && dlerror)
        dlerror(); /* the program's next one is not about this */
    pid = (uint32_t)sys_getpid();
    if (walk) {
        trace->walks = 1;
        record_scan(&(struct page_scan){.mapping = claim_mapping});
    }
    errno = saved;
}

typedef int main_function(int argc, char **argv, char **environment);
int __libc_start_main(main_function *program, int argc, char **argv, void (*begin)(void),
                      void (*end)(void), void (*loader_end)(void), void *stack_end);

/* The first moment when libc, and the program's own malloc, are sure to be ready for dlopen. There
 * is a next one: who calls this has a libc. */
RECORD_API int __libc_start_main(main_function *program, int argc, char **argv, void (*begin)(void),
                                 void (*end)(void), void (*loader_end)(void), void *stack_end)
{
    RECORD_NEXT(__libc_start_main);
    load_walker();
    return next(program, argc, argv, begin, end, loader_end, stack_end);
}
