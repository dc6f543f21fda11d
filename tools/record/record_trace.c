/*
 * record_trace.c: the trace, which is memory that the recorded programs share with the tool.
 */
#include "base/sys.h"
#include "cli/command.h"
#include "record/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* Descriptors 0 to 2, the trace, and the two pipes to the guardian of readahead. */
enum { LEAST_FILES = 8 };

/*
 * The trace is memory of this process, a memfd, and not a file in TMPDIR: a program that writes to
 * a sparse file on a full disk gets SIGBUS, and to allocate all of it at first needs room that it
 * almost never uses. Recorded programs open it anew through /proc, each image for itself. An
 * inherited descriptor would also survive a change of user or of root folder, but not the many
 * programs that close what they do not know (shells, close_fds of Python, daemons), and they could
 * see it. What is lost: a program which changes its user and then executes another (the file in
 * TMPDIR, private as it had to be, was out of its reach too), and one in a PID namespace of its
 * own.
 */
static int create_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC); /* before Linux 6.3 */
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* messages must not go there */
    close(fd);
    return other;
}

/*
 * Files are stamped with the kernel's coarse clock, or with the fine one if somebody has looked at
 * the last stamp (Linux 6.13). The coarse one, which may be a tick behind, has to pass what the
 * fine one says now before the recording starts: what was changed just before would otherwise count
 * as changed meanwhile, and be left out.
 */
struct timespec session_next_tick(void)
{
    enum { MOST_LOOKS = 200 };
    struct timespec before, now;
    clock_gettime(CLOCK_REALTIME, &before);
    for (int i = 0; i < MOST_LOOKS; i++) { /* the clock may be set back meanwhile */
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec > before.tv_sec ||
            (now.tv_sec == before.tv_sec && now.tv_nsec > before.tv_nsec))
            break;
    }
    return now;
}

static rlim_t limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/* Every recorded program maps the trace, and is to have most of its address space for itself. */
static uint64_t trace_bytes(void)
{
    rlim_t space = limit_of(RLIMIT_AS), file = limit_of(RLIMIT_FSIZE);
    rlim_t bytes = space == RLIM_INFINITY || space / 8 > TRACE_BYTES ? TRACE_BYTES : space / 8;
    bytes = file < bytes ? file : bytes;
    if (bytes < TRACE_LEAST_BYTES)
        fail(EXIT_FAILED, "a recording takes %u KiB %s; raise the limit (ulimit %s, prlimit --%s)",
             (bytes == file ? 1 : 8) * TRACE_LEAST_BYTES / 1024,
             bytes == file ? "in a file" : "of address space", bytes == file ? "-f" : "-v",
             bytes == file ? "fsize" : "as");
    return bytes - bytes % TRACE_LEAST_BYTES;
}

/* trace_map() itself says nothing. */
static _Noreturn void fail_to_map(const char *path)
{
    if (open(path, O_RDWR | O_CLOEXEC) >= 0)
        fail(EXIT_FAILED, "cannot map the trace: there is no memory for it");
    fail(EXIT_FAILED, "%s: cannot open the trace: %s; mount /proc", path, strerror(errno));
}

void session_create_trace(struct session *session)
{
    rlim_t files = limit_of(RLIMIT_NOFILE);
    if (files < LEAST_FILES)
        fail(EXIT_FAILED,
             "a recording takes %d open files, and no more than %ju may be: raise the limit "
             "(ulimit -n, prlimit --nofile)",
             LEAST_FILES, (uintmax_t)files);
    uint64_t bytes = trace_bytes();
    char name[64];
    snprintf(name, sizeof name, "coldboost-trace.%d", getpid());
    snprintf(session->trace_mapping, sizeof session->trace_mapping, "/memfd:%s (deleted)", name);
    int fd = create_memory(name);
    snprintf(session->trace_path, sizeof session->trace_path, "/proc/%d/fd/%d", getpid(), fd);
    /* Of a header that is too large for a small stack, up to what is zero. */
    static struct trace_header header;
    const size_t begun = offsetof(struct trace_header, lost);
    memcpy(header.magic, TRACE_MAGIC, sizeof header.magic);
    header.next_unit = TRACE_FIRST_UNIT;
    header.bytes = bytes;
    header.start_ns = sys_monotonic_ns();
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 ||
        pwrite(fd, &header, begun, 0) != (ssize_t)begun)
        fail(EXIT_FAILED, "cannot set up the trace: memfd: %s", strerror(errno));
    session->trace = trace_map(session->trace_path);
    if (!session->trace)
        fail_to_map(session->trace_path);
}
