/*
 * threads.c: threads and processes without libc, which the program does not notice.
 *
 * They run inside other people's programs. They must never
 *   - touch the program's descriptors: the leader has a table of its own, empty from the start;
 *   - run libc code, or take a signal: all are blocked before the leader starts;
 *   - outlive the program: what they have open, and mapped, keeps a file system busy.
 */
#include "replay/threads.h"

#include "base/sys.h"
#include "replay/last_thread.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

#define STACK_BYTES (32u << 10)
/* Of the process that only starts another; on the program's own stack, which may be tiny. */
#define STACK_BETWEEN_BYTES 1024
/* How often to look whether the program still runs, where the kernel does not tell. */
#define LOOK_NS 10000000

/* The leader's, the workers', the watcher's. */
size_t threads_stack_bytes(unsigned most_workers)
{
    return (most_workers + 1) * (size_t)STACK_BYTES;
}

bool threads_may_grow(const struct threads *threads)
{
    return CB_HAVE_RAW_THREAD && __atomic_load_n(&threads->started_workers, __ATOMIC_RELAXED) + 1 <
                                     threads->plan.most_workers;
}

/* In the order of their start: one that is gone starts no other. */
void threads_join(struct threads *threads)
{
    for (unsigned i = 1; i < threads->plan.most_workers; i++) {
        int id;
        while ((id = __atomic_load_n(&threads->ids[i], __ATOMIC_ACQUIRE)) != 0)
            sys_wait_while(&threads->ids[i], id);
    }
}

#if CB_HAVE_RAW_THREAD
static void *stack_top(const struct threads *threads, unsigned i)
{
    return threads->stacks + (i + 1) * (size_t)STACK_BYTES;
}

/* Untraced: a debugger would be told of it, and strace -f would print what it does. qemu-user takes
 * that flag for no thread. */
static long clone_thread(struct threads *threads, unsigned i, unsigned long more_flags,
                         void (*run)(void *))
{
    unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                          CLONE_SYSVSEM | more_flags;
    void *top = stack_top(threads, i);
    long result = cb_clone(flags | CLONE_UNTRACED, top, &threads->ids[i], run, threads);
    return result == -EINVAL ? cb_clone(flags, top, &threads->ids[i], run, threads) : result;
}

/* A thread that shares everything with the leader. The kernel clears its id when it is gone. */
static void start_thread(struct threads *threads, unsigned i, void (*run)(void *))
{
    clone_thread(threads, i, CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, run);
}

void threads_start_worker(struct threads *threads, void (*run)(void *))
{
    unsigned i = __atomic_add_fetch(&threads->started_workers, 1, __ATOMIC_RELAXED);
    if (i < threads->plan.most_workers)
        start_thread(threads, i, run);
}

/*
 * An empty descriptor table of our own: what we open is never seen by the program, and what the
 * program has open is not kept open by us. close_range() does both at once without a copy in
 * between; before Linux 5.9 the copy is closed by hand, up to the first long gap.
 */
static bool leave_descriptor_table(bool keep_stderr)
{
    if (keep_stderr) {
        if (sys_close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0)
            return sys_close_range(0, 1, 0) == 0;
    } else if (sys_close_range(0, ~0u, CLOSE_RANGE_UNSHARE) == 0) {
        return true;
    }
    if (sys_unshare(CLONE_FILES) != 0)
        return false;
    for (int fd = 0, closed = 0; fd < closed + 1024; fd++)
        if ((fd != 2 || !keep_stderr) && sys_close(fd) == 0)
            closed = fd;
    return true;
}

/* Unless the other of leader and watcher is in ended(): then that one ends the process. */
static _Noreturn void end_process(const struct threads *threads, enum replay_state state)
{
    if (!threads->plan.ended(state))
        sys_exit_thread();
    sys_exit(0);
}

/* Whether the kernel has told of the program's end. It wakes those who poll a pidfd (Linux 5.3)
 * before the program's parent hears of it. */
static bool await_end(long program_id)
{
    int fd = sys_pidfd_open(program_id);
    long n = 0;
    struct pollfd program = {.fd = fd, .events = POLLIN};
    while (fd >= 0 && (n = sys_poll(&program, NULL)) == -EINTR) {
    }
    return n == 1;
}

/* The thread that ends a replay in a process of its own as soon as the program has ended. */
static void run_watcher(void *argument)
{
    const struct threads *threads = argument;
    bool ended = await_end(threads->program_id);
    while (!ended && sys_kill(threads->program_id, 0) != -ESRCH)
        if (sys_sleep_ns(LOOK_NS) != 0)
            sys_exit_thread();
    if (threads->plan.program_ended)
        threads->plan.program_ended();
    end_process(threads, STATE_UNFINISHED);
}

/* Until the watcher ends the process, or the deadline. */
static void await_program(struct threads *threads, enum replay_state state)
{
    threads->plan.ended(state);
    profile_unload(threads->plan.profile);
    sys_close(2);
    sys_sleep_until(threads->plan.deadline_ns);
}

static void run_leader(void *argument)
{
    struct threads *threads = argument;
    struct first_thread ended = {.exit_status = 0};
    enum replay_state state = STATE_UNFINISHED;
    bool is_apart = leave_descriptor_table(threads->plan.keeps_stderr);
    if (is_apart) {
        sys_prctl(PR_SET_NAME, (unsigned long)"coldboost");
        if (threads->plan.mode == MODE_PROCESS)
            start_thread(threads, threads->plan.most_workers, run_watcher);
        state = threads->lead(threads);
    }
    if (threads->plan.mode == MODE_PROCESS) {
        if (is_apart && threads->plan.program_ended)
            await_program(threads, state);
        end_process(threads, state);
    }
    if (is_apart)
        threads->plan.ended(state);
    profile_unload(threads->plan.profile);
    if (is_apart)
        ended = first_thread_read(); /* last of all: it may end while we are at it */
    if (ended.signal)
        sys_die_of(ended.signal);
    cb_unmap_and_exit_thread(threads, threads->mapped_bytes, ended.exit_status);
}

/* The first child only starts the second, which thereby belongs to init, not to the program.
 * qemu-user knows no process that shares its memory. */
static void run_process_between(void *argument)
{
    struct threads *threads = argument;
    void *top = stack_top(threads, 0);
    long id = -EINVAL;
    if (threads->plan.leaves_memory)
        id = cb_clone(CLONE_VM, top, NULL, run_leader, threads);
    if (id == -EINVAL)
        id = cb_clone(0, top, NULL, run_leader, threads);
    sys_exit(id < 0);
}

/*
 * As by vfork(): in our memory, and we wait until it has ended. No exit signal: the program gets no
 * SIGCHLD, and only wait4(__WALL) would see the child. A debugger would be told of a new thread by
 * that, and gdb gives up: untraced.
 */
static long start_leader_process(struct threads *threads)
{
    uint8_t stack[STACK_BETWEEN_BYTES] __attribute__((aligned(16)));
    long id = cb_clone(CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, stack + sizeof stack, NULL,
                       run_process_between, threads);
    if (id > 0)
        sys_reap(id);
    return id;
}

long threads_start_leader(struct threads *threads)
{
    uint64_t all = ~(uint64_t)0, before;
    long id = sys_signal_mask(&all, &before);
    if (id < 0)
        return id; /* a replay that takes the program's signals would be worse than none */
    threads->program_id = sys_getpid();
    id = threads->plan.mode == MODE_PROCESS ? start_leader_process(threads)
                                            : clone_thread(threads, 0, 0, run_leader);
    sys_signal_mask(&before, NULL);
    return id;
}
#else
void threads_start_worker(struct threads *threads, void (*run)(void *))
{
    (void)threads, (void)run;
}

long threads_start_leader(struct threads *threads)
{
    (void)threads;
    return -ENOSYS;
}
#endif
