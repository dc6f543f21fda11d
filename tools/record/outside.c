/*
 * outside.c: the watcher. Programs stop at the calls of watched.h, which a seccomp filter picks
 * out, and run at full speed otherwise; what they have mapped is seen by the sampler. Rules:
 *
 *  1. A program is never left with the filter and without a tracer, when those calls would fail:
 * the watcher is a process of its own, so that it survives the tool, and stays to the end of the
 *     last program. Where the recording stops before that (--until SECONDS and ready) there is no
 *     filter: programs stop at every call until then, and are let go.
 *  2. Every signal is handed on, a stopped program stays stopped, and its parent sees all of it:
 *     the programs stay children of those who started them.
 */
#include "record/outside.h"

#include "cli/command.h"
#include "record/sampler.h"
#include "replay/profile.h"
#include "trace/ready_request.h"
#include "trace/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EPOCH_NS = 5000000, RECENT = 1024 };

enum how {
    READ_HERE,   /* at the descriptor's position */
    READ_AT,     /* at the offset; preadv2 takes -1 for the position */
    READ_BEHIND, /* up to *offset, or to the position where there is no such pointer */
    LISTED,
    UNMAPS, /* the last chance to see these pages, or all pages */
    LEAVES,
    SENDS,
    SENDS_VECTOR,
    SENDS_MESSAGE,
};

struct call {
    uint64_t number;
    enum how how;
    uint8_t descriptor, offset; /* which arguments */
};

static const struct call calls[] = {
#define CALL(name, how, descriptor, offset) {SYS_##name, how, descriptor, offset},
    WATCHED_CALLS(CALL)
#undef CALL
    /* For --until ready, which has no filter. */
    {SYS_write, SENDS, 0, 0},
    {SYS_sendto, SENDS, 0, 0},
    {SYS_writev, SENDS_VECTOR, 0, 0},
    {SYS_sendmsg, SENDS_MESSAGE, 0, 0},
};

struct thread {
    pid_t id, process;
    const struct call *call; /* that it is in, if its end matters */
    uint64_t arguments[6];
};

struct watcher {
    struct trace_header *trace;
    struct sampler *sampler;
    pid_t tool;
    bool filtered; /* stops at the calls above only */
    bool leaving;  /* lets go of whatever stops */
    struct thread *threads;
    size_t thread_count, thread_room;
    uint64_t next_look_ns;
    uint64_t recent[RECENT]; /* single pages noted lately */
};

/* ---- what a program reads ---------------------------------------------------------------------
 */

static bool read_memory(const struct thread *thread, uint64_t address, void *out, size_t bytes)
{
    struct iovec here = {out, bytes}, there = {(void *)(uintptr_t)address, bytes};
    return process_vm_readv(thread->id, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static uint32_t file_of_descriptor(const struct watcher *watcher, const struct thread *thread,
                                   int fd, mode_t kind)
{
    char link[64], path[PATH_MAX];
    struct stat status;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread->id, fd);
    if (stat(link, &status) != 0 || (status.st_mode & S_IFMT) != kind)
        return 0;
    uint32_t file = trace_find_file(watcher->trace, status.st_dev, status.st_ino);
    if (file)
        return file;
    ssize_t length = readlink(link, path, sizeof path);
    if (length <= 0 || path[0] != '/')
        return 0;
    return trace_add_file(watcher->trace, status.st_dev, status.st_ino, path, (uint32_t)length);
}

int64_t outside_position(const char *text)
{
    int64_t position;
    return sscanf(text, "pos: %" SCNd64, &position) == 1 ? position : -1;
}

static int64_t position_of_descriptor(const struct thread *thread, int fd)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", thread->id, fd);
    int info = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = info < 0 ? 0 : read(info, text, sizeof text - 1);
    if (info >= 0)
        close(info);
    text[n > 0 ? n : 0] = '\0';
    return outside_position(text);
}

static void note(struct watcher *watcher, const struct thread *thread, uint32_t file,
                 uint64_t first_page, uint64_t page_count, enum trace_how how)
{
    uint64_t key = (uint64_t)file << 32 | first_page;
    uint64_t *recent = &watcher->recent[(file * 31 + first_page) % RECENT];
    struct trace_range range = {
        .process = sampler_image(watcher->sampler, thread->process),
        .file = file,
        .first_page = (uint32_t)first_page,
        .page_count = (uint32_t)page_count,
        .how = how,
        .time_ns = trace_now(watcher->trace),
    };
    if (!range.process || first_page + page_count > UINT32_MAX ||
        (page_count <= 1 && *recent == key))
        return;
    if (page_count <= 1)
        *recent = key;
    trace_add_range(watcher->trace, &range);
}

static void note_read(struct watcher *watcher, const struct thread *thread, int64_t n)
{
    const struct call *call = thread->call;
    int fd = (int)thread->arguments[call->descriptor];
    uint32_t file = file_of_descriptor(watcher, thread, fd, S_IFREG);
    if (!file)
        return;
    uint64_t argument = thread->arguments[call->offset];
    int64_t offset = -1;
    if (call->how == READ_AT)
        offset = (int64_t)argument;
    else if (call->how == READ_BEHIND && argument &&
             read_memory(thread, argument, &offset, sizeof offset))
        offset -= n;
    else if (call->how == READ_BEHIND && argument)
        return;
    if (offset < 0)
        offset = position_of_descriptor(thread, fd) - n;
    if (offset < 0)
        return;
    uint64_t first = (uint64_t)offset / PROFILE_PAGE_BYTES;
    uint64_t last = ((uint64_t)offset + (uint64_t)n - 1) / PROFILE_PAGE_BYTES;
    note(watcher, thread, file, first, last - first + 1, TRACE_READ);
}

static void note_listing(struct watcher *watcher, const struct thread *thread)
{
    int fd = (int)thread->arguments[thread->call->descriptor];
    uint32_t directory = file_of_descriptor(watcher, thread, fd, S_IFDIR);
    if (directory)
        note(watcher, thread, directory, 0, 0, TRACE_LISTED);
}

static void look_for_request(struct watcher *watcher, const struct thread *thread, int64_t sent)
{
    char text[READY_LOOK_BYTES];
    struct iovec vector = {(void *)(uintptr_t)thread->arguments[1], (size_t)sent};
    uint64_t address = thread->arguments[1];
    struct msghdr message;
    if (!watcher->trace->until_ready)
        return;
    if (thread->call->how == SENDS_MESSAGE) {
        if (!read_memory(thread, address, &message, sizeof message))
            return;
        address = (uint64_t)(uintptr_t)message.msg_iov;
    }
    if (thread->call->how != SENDS && !read_memory(thread, address, &vector, sizeof vector))
        return;
    size_t bytes = vector.iov_len < (size_t)sent ? vector.iov_len : (size_t)sent;
    if (bytes > sizeof text)
        bytes = sizeof text;
    if (!read_memory(thread, (uint64_t)(uintptr_t)vector.iov_base, text, bytes) ||
        !is_ready_request(text, bytes))
        return;
    sampler_look(watcher->sampler);
    watcher->trace->ready = 1;
    watcher->trace->finished = 1; /* here and now, not when the tool next looks */
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static const struct call *find_call(uint64_t number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

static void call_begins(struct watcher *watcher, struct thread *thread, uint64_t number,
                        const uint64_t *arguments)
{
    const struct call *call = find_call(number);
    thread->call = NULL;
    if (!call)
        return;
    if (call->how == LEAVES || call->how == UNMAPS) {
        sampler_look_at(watcher->sampler, thread->process);
        return;
    }
    thread->call = call;
    memcpy(thread->arguments, arguments, sizeof thread->arguments);
}

static void call_ends(struct watcher *watcher, struct thread *thread, int64_t result)
{
    if (thread->call && result > 0) {
        if (thread->call->how <= READ_BEHIND)
            note_read(watcher, thread, result);
        else if (thread->call->how == LISTED)
            note_listing(watcher, thread);
        else
            look_for_request(watcher, thread, result);
    }
    thread->call = NULL;
}

static void stopped_at_call(struct watcher *watcher, struct thread *thread)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        watcher->filtered = true;
    if (watcher->trace->finished || info.arch != WATCHED_ARCHITECTURE)
        thread->call = NULL;
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        call_ends(watcher, thread, info.exit.rval);
    else if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        call_begins(watcher, thread, info.entry.nr, (const uint64_t *)info.entry.args);
    else if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
        call_begins(watcher, thread, info.seccomp.nr, (const uint64_t *)info.seccomp.args);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static pid_t process_of(pid_t thread)
{
    char path[64], line[128];
    pid_t process = thread;
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %d", &process) == 1)
            break;
    if (status)
        fclose(status);
    return process;
}

static struct thread *find_thread(struct watcher *watcher, pid_t id)
{
    for (size_t i = 0; i < watcher->thread_count; i++)
        if (watcher->threads[i].id == id)
            return &watcher->threads[i];
    return NULL;
}

/* The kernel watches what a watched program starts; it stops once before it runs. */
static struct thread *meet(struct watcher *watcher, pid_t id)
{
    struct thread *known = find_thread(watcher, id);
    if (known)
        return known;
    if (watcher->thread_count == watcher->thread_room) {
        watcher->thread_room = watcher->thread_room ? 2 * watcher->thread_room : 64;
        watcher->threads =
            xrealloc(watcher->threads, watcher->thread_room * sizeof *watcher->threads);
    }
    struct thread *thread = &watcher->threads[watcher->thread_count++];
    *thread = (struct thread){.id = id, .process = process_of(id)};
    sampler_watch(watcher->sampler, thread->process);
    return thread;
}

static void forget(struct watcher *watcher, pid_t id)
{
    struct thread *thread = find_thread(watcher, id);
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
    sampler_watch(watcher->sampler, process); /* again: it had no image for a moment */
    sampler_look_at(watcher->sampler, process);
}

static bool is_last(const struct watcher *watcher, const struct thread *thread)
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
    struct thread *thread = meet(watcher, id);
    if (is_call)
        stopped_at_call(watcher, thread);
    else if (event == PTRACE_EVENT_EXEC)
        executed(watcher, id);
    else if (event == PTRACE_EVENT_EXIT && (id == thread->process || is_last(watcher, thread)))
        sampler_look_at(watcher->sampler, thread->process);
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
    struct trace_header *trace = watcher->trace;
    uint64_t now = trace_now(trace);
    if (trace->finished || now < watcher->next_look_ns)
        return;
    if (getppid() != watcher->tool) {
        trace->finished = 1;
        return;
    }
    sampler_look(watcher->sampler);
    uint64_t end = trace_now(trace), cost = end - now;
    watcher->next_look_ns = cost * 4 < EPOCH_NS ? now + EPOCH_NS : end + 3 * cost;
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
        bool finished = watcher->trace->finished;
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
            sigtimedwait(&child, NULL, &(struct timespec){.tv_nsec = EPOCH_NS});
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

void outside_watch(struct trace_header *trace, const char *trace_mapping, pid_t thread)
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
        .trace = trace,
        .sampler = sampler_new(trace, trace_mapping, process_of(thread)),
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
    if (!sampler_maps_trace(watcher.sampler, process_of(thread)))
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
        outside_watch(trace, trace_mapping, thread);
}
