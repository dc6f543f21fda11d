/*
 * outside.c: the watcher. Programs stop at the calls of watched.h, which a seccomp filter picks
 * out, and run at full speed otherwise; what they have mapped is seen by the sampler. Rules:
 *
 *  1. A program is never left with the filter and without a tracer: those calls would fail. So the
 *     watcher is a process of its own, which survives the tool, and stays to the end of the last
 *     program. Where the recording stops before that (--until SECONDS and ready) there is no
 *     filter: programs stop at every call until then, and are let go.
 *  2. Every signal is handed on, a stopped program stays stopped, and its parent sees all of it:
 *     the programs stay children of those who started them.
 */
#include "watch/outside.h"

#include "base/sys.h"
#include "cli/command.h"
#include "cli/table.h"
#include "trace/watched.h"
#include "watch/outside_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct watcher {
    struct call_log log;
    pid_t tool;
    bool filtered; /* stops at the calls of watched.h only */
    bool leaving;  /* lets go of whatever stops */
    struct watched_thread *threads;
    size_t thread_count;
    uint64_t next_look_ns;
};

static void stopped_at_call(struct watcher *watcher, struct watched_thread *thread)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        watcher->filtered = true;
    if (watcher->log.trace->finished || info.arch != WATCHED_ARCHITECTURE)
        thread->call = NULL;
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        calls_end(&watcher->log, thread, info.exit.rval);
    else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        calls_begin(&watcher->log, thread, info.entry.nr, (const uint64_t *)info.entry.args);
    else if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        calls_begin(&watcher->log, thread, info.seccomp.nr, (const uint64_t *)info.seccomp.args);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static pid_t process_of(pid_t thread)
{
    static const char group[] = "\nTgid:";
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    sys_read_text(path, text, sizeof text);
    const char *number = strstr(text, group);
    return number ? atoi(number + sizeof group - 1) : thread;
}

static struct watched_thread *find_thread(struct watcher *watcher, pid_t id)
{
    for (size_t i = 0; i < watcher->thread_count; i++)
        if (watcher->threads[i].id == id)
            return &watcher->threads[i];
    return NULL;
}

/* The kernel watches what a watched program starts; it stops once before it runs. */
static struct watched_thread *meet(struct watcher *watcher, pid_t id)
{
    struct watched_thread *known = find_thread(watcher, id);
    if (known)
        return known;
    struct watched_thread *thread = GROW(watcher->threads, watcher->thread_count);
    *thread = (struct watched_thread){.id = id, .process = process_of(id)};
    sampler_watch(watcher->log.sampler, thread->process);
    return thread;
}

static void forget(struct watcher *watcher, pid_t id)
{
    struct watched_thread *thread = find_thread(watcher, id);
    if (thread)
        *thread = watcher->threads[--watcher->thread_count];
}

/* The thread that executes a program takes the number of its process; the others are gone. */
static void executed(struct watcher *watcher, pid_t process)
{
    unsigned long former;
    if (ptrace(PTRACE_GETEVENTMSG, process, NULL, &former) == 0 && (pid_t)former != process)
        forget(watcher, (pid_t)former);
    meet(watcher, process)->call = NULL;
    sampler_watch(watcher->log.sampler, process); /* again: it had no image for a moment */
    sampler_look_at(watcher->log.sampler, process);
}

static bool is_last(const struct watcher *watcher, const struct watched_thread *thread)
{
    size_t count = 0;
    for (size_t i = 0; i < watcher->thread_count; i++)
        count += watcher->threads[i].process == thread->process;
    return count == 1;
}

static void stopped(struct watcher *watcher, pid_t id, int status)
{
    int event = status >> 16, signal = WSTOPSIG(status);
    bool is_call = signal == (SIGTRAP | 0x80) || event == PTRACE_EVENT_SECCOMP;
    enum __ptrace_request request = PTRACE_SYSCALL;
    if (watcher->leaving) {
        ptrace(PTRACE_DETACH, id, NULL, (long)(is_call || event ? 0 : signal));
        return;
    }
    struct watched_thread *thread = meet(watcher, id);
    if (is_call)
        stopped_at_call(watcher, thread);
    else if (event == PTRACE_EVENT_EXEC)
        executed(watcher, id);
    else if (event == PTRACE_EVENT_EXIT && (id == thread->process || is_last(watcher, thread)))
        sampler_look_at(watcher->log.sampler, thread->process);
    else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP)
        request = PTRACE_LISTEN; /* SIGSTOP and its like: it stays stopped, until SIGCONT */
    if (request == PTRACE_SYSCALL && watcher->filtered && !meet(watcher, id)->call)
        request = PTRACE_CONT;
    ptrace(request, id, NULL, (long)(is_call || event ? 0 : signal));
}

/* ---- the watcher ------------------------------------------------------------------------------
 */

static void let_go(struct watcher *watcher)
{
    watcher->leaving = true;
    for (size_t i = 0; i < watcher->thread_count; i++)
        ptrace(PTRACE_INTERRUPT, watcher->threads[i].id, NULL, NULL);
}

static void look_if_due(struct watcher *watcher)
{
    struct trace_header *trace = watcher->log.trace;
    uint64_t now = trace_now(trace);
    if (trace->finished || now < watcher->next_look_ns)
        return;
    if (getppid() != watcher->tool) {
        trace->finished = 1;
        return;
    }
    sampler_look(watcher->log.sampler);
    uint64_t end = trace_now(trace);
    watcher->next_look_ns = end + sampler_pause_ns(end - now);
}

static _Noreturn void run(struct watcher *watcher)
{
    sigset_t all, child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        look_if_due(watcher);
        bool finished = watcher->log.trace->finished;
        if (finished && !watcher->filtered && !watcher->leaving)
            let_go(watcher);
        int status;
        pid_t id = waitpid(-1, &status, __WALL | (finished ? 0 : WNOHANG));
        if (id < 0 && errno == ECHILD)
            _exit(0);
        if (id > 0 && WIFSTOPPED(status))
            stopped(watcher, id, status);
        else if (id > 0)
            forget(watcher, id);
        else if (id == 0)
            sigtimedwait(&child, NULL, &(struct timespec){.tv_nsec = SAMPLER_EPOCH_US * 1000});
    }
}

/* Whatever the tool has open is its own: a pipe to somebody who waits for its end, for example. */
static void leave_descriptors(void)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    syscall(SYS_close_range, 3u, ~0u, 0u);
}

/*
 * Watches this thread and all that it will start, which must wait in watched_begin(), and answers
 * it. The watching is done by a process of its own. It ends with the last watched program, or, when
 * the recording is to stop before that, lets go of all of them.
 */
static void start_watcher(struct trace_header *trace, const char *trace_mapping, pid_t thread)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                         PTRACE_O_TRACESECCOMP;
    pid_t tool = getpid(), pid = fork();
    if (pid < 0)
        watched_answer(trace, (uint32_t)thread, errno);
    if (pid != 0)
        return;
    setsid(); /* a key on the terminal, or a signal to the group, is not meant for us */
    leave_descriptors();
    struct watcher watcher = {
        .log = {trace, sampler_new(trace, trace_mapping, process_of(thread), NULL), {0}},
        .tool = tool,
    };
    /*
     * The watcher dies of SIGKILL only. Programs with the filter then die too: without a tracer
     * their read, munmap, execve and exit_group would fail with ENOSYS, and a program that goes on
     * like that can do harm (it may write what it could not read); every program must stand
     * SIGKILL. Those without the filter go on, untraced.
     */
    long kill_too = trace->until_exit ? PTRACE_O_EXITKILL : 0;
    int error = 0;
    if (!sampler_maps_trace(watcher.log.sampler, process_of(thread)))
        error = ESRCH;
    else if (ptrace(PTRACE_SEIZE, thread, NULL, options | kill_too) != 0)
        error = errno;
    meet(&watcher, thread);
    watched_answer(trace, (uint32_t)thread, error);
    if (error)
        _exit(1);
    run(&watcher);
}

/* Killed while it waited, and be it that its parent has not heard of it yet. */
static bool is_gone(uint32_t thread)
{
    char link[64], path[1];
    snprintf(link, sizeof link, "/proc/%u/exe", thread);
    return readlink(link, path, sizeof path) < 0 && (errno == ENOENT || errno == ESRCH);
}

void outside_serve(struct trace_header *trace, const char *trace_mapping)
{
    watched_forget(trace, is_gone);
    pid_t thread = (pid_t)watched_asks(trace);
    if (thread && !trace->finished)
        start_watcher(trace, trace_mapping, thread);
}
