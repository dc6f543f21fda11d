/*
 * outside_calls.c: reads what a stopped thread's call was about: its arguments, its memory where
 * they point to it, and /proc.
 */
#include "watch/outside_calls.h"

#include "base/sys.h"
#include "trace/ready_request.h"
#include "trace/watched.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

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
    LISTENS,
};

struct watched_call {
    uint64_t number;
    enum how how;
    uint8_t descriptor, offset; /* which arguments */
};

static const struct watched_call calls[] = {
#define CALL(name, how, descriptor, offset) {SYS_##name, how, descriptor, offset},
    WATCHED_CALLS(CALL)
#undef CALL
    /* For --until ready and listen, which have no filter. */
    {SYS_write, SENDS, 0, 0},
    {SYS_sendto, SENDS, 0, 0},
    {SYS_writev, SENDS_VECTOR, 0, 0},
    {SYS_sendmsg, SENDS_MESSAGE, 0, 0},
    {SYS_listen, LISTENS, 0, 0},
};

static bool read_memory(const struct watched_thread *thread, uint64_t address, void *out,
                        size_t bytes)
{
    struct iovec here = {out, bytes}, there = {(void *)(uintptr_t)address, bytes};
    return process_vm_readv(thread->id, &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static uint32_t file_of_descriptor(const struct call_log *log, const struct watched_thread *thread,
                                   int fd, mode_t kind)
{
    char link[64];
    struct stat status;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread->id, fd);
    if (stat(link, &status) != 0 || (status.st_mode & S_IFMT) != kind)
        return 0;
    return trace_opened_file(log->trace, &status, link);
}

int64_t outside_position(const char *text)
{
    int64_t position;
    return sscanf(text, "pos: %" SCNd64, &position) == 1 ? position : -1;
}

static int64_t position_of_descriptor(const struct watched_thread *thread, int fd)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", thread->id, fd);
    sys_read_text(path, text, sizeof text);
    return outside_position(text);
}

static void note(struct call_log *log, const struct watched_thread *thread, uint32_t file,
                 uint64_t first_page, uint64_t page_count, enum trace_how how)
{
    uint64_t key = (uint64_t)file << 32 | first_page;
    uint64_t *recent = &log->recent[(file * 31 + first_page) % CALLS_RECENT];
    struct trace_range range = {
        .process = sampler_image(log->sampler, thread->process),
        .file = file,
        .first_page = (uint32_t)first_page,
        .page_count = (uint32_t)page_count,
        .how = how,
        .time_ns = trace_now(log->trace),
    };
    if (!range.process || first_page + page_count > UINT32_MAX ||
        (page_count <= 1 && *recent == key))
        return;
    if (page_count <= 1)
        *recent = key;
    trace_add_range(log->trace, &range);
}

static void note_read(struct call_log *log, const struct watched_thread *thread, int64_t n)
{
    const struct watched_call *call = thread->call;
    int fd = (int)thread->arguments[call->descriptor];
    uint32_t file = file_of_descriptor(log, thread, fd, S_IFREG);
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
    uint64_t first = (uint64_t)offset / TRACE_PAGE_BYTES;
    uint64_t last = ((uint64_t)offset + (uint64_t)n - 1) / TRACE_PAGE_BYTES;
    note(log, thread, file, first, last - first + 1, TRACE_READ);
}

static void note_listing(struct call_log *log, const struct watched_thread *thread)
{
    int fd = (int)thread->arguments[thread->call->descriptor];
    uint32_t directory = file_of_descriptor(log, thread, fd, S_IFDIR);
    if (directory)
        note(log, thread, directory, 0, 0, TRACE_LISTED);
}

/* Here and now, not when the tool next looks. */
static void end_start(struct call_log *log)
{
    sampler_look(log->sampler);
    log->trace->ready = 1;
    log->trace->finished = 1;
}

static void look_for_request(struct call_log *log, const struct watched_thread *thread,
                             int64_t sent)
{
    char text[READY_LOOK_BYTES];
    struct iovec vector = {(void *)(uintptr_t)thread->arguments[1], (size_t)sent};
    uint64_t address = thread->arguments[1];
    struct msghdr message;
    if (!log->trace->until_ready)
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
    end_start(log);
}

static const struct watched_call *find_call(uint64_t number)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return &calls[i];
    return NULL;
}

void calls_begin(struct call_log *log, struct watched_thread *thread, uint64_t number,
                 const uint64_t *arguments)
{
    const struct watched_call *call = find_call(number);
    thread->call = NULL;
    if (!call)
        return;
    if (call->how == LEAVES || call->how == UNMAPS) {
        sampler_look_at(log->sampler, thread->process);
        return;
    }
    thread->call = call;
    memcpy(thread->arguments, arguments, sizeof thread->arguments);
}

void calls_end(struct call_log *log, struct watched_thread *thread, int64_t result)
{
    if (thread->call && thread->call->how == LISTENS) {
        if (result == 0 && log->trace->until_listen)
            end_start(log);
    } else if (thread->call && result > 0) {
        if (thread->call->how <= READ_BEHIND)
            note_read(log, thread, result);
        else if (thread->call->how == LISTED)
            note_listing(log, thread);
        else
            look_for_request(log, thread, result);
    }
    thread->call = NULL;
}
