/*
 * beside.c: the watcher that records a start from beside it. The program is neither its child nor
 * its parent: it is seen through /proc, and its end through a pidfd.
 */
#include "record/beside.h"

#include "base/sys.h"
#include "cli/command.h"
#include "record/session.h"
#include "start/adopter.h"
#include "start/become.h"
#include "watch/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors from..to. Before Linux 5.9 one by one, as far as programs commonly have them. */
static void close_all(unsigned from, unsigned to)
{
    if (from > to || sys_close_range(from, to, 0) == 0)
        return;
    for (unsigned fd = from; fd <= to && fd < 4096; fd++)
        close((int)fd);
}

/* Nothing of the caller's is kept open, or in use, but the pipe. */
static void detach(int pipe_end)
{
    setsid();
    if (chdir("/") != 0)
        _exit(EXIT_FAILED);
    close_all(STDERR_FILENO + 1, (unsigned)pipe_end - 1);
    close_all((unsigned)pipe_end + 1, ~0u);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (null >= 0 && null != fd)
            dup2(null, fd);
        else if (null < 0)
            close(fd);
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        signal(ends[i], SIG_IGN);
    prctl(PR_SET_NAME, "coldboost");
}

/* Waits until the program ends, at most this long. Returns whether it has ended. */
static bool await_end(int program, pid_t id, uint64_t ns)
{
    struct timespec pause = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    struct pollfd end = {.fd = program, .events = POLLIN};
    if (program >= 0)
        return ppoll(&end, 1, &pause, NULL) == 1;
    nanosleep(&pause, NULL);
    return kill(id, 0) != 0 && errno == ESRCH;
}

/* What the program has read from storage so far: proc_pid_io(5). */
static uint64_t read_from_storage(pid_t program)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/io", (int)program);
    sys_read_text(path, text, sizeof text);
    const char *line = strstr(text, "\nread_bytes: ");
    return line ? strtoull(line + 13, NULL, 10) : 0;
}

/* Until the program ends, is ready or has run for so long. */
static void watch(struct session *session, uint64_t most_ns, struct beside_seen *seen)
{
    struct sampler *sampler = sampler_new(session->trace, session->trace_mapping, session->child);
    int program = sys_pidfd_open(session->child);
    uint64_t now = 0;
    while (!seen->ended && !session->trace->ready && now < most_ns) {
        uint64_t before = trace_now(session->trace), bytes = read_from_storage(session->child);
        seen->read_bytes = bytes ? bytes : seen->read_bytes;
        sampler_look(sampler);
        uint64_t pause = sampler_pause_ns(trace_now(session->trace) - before);
        seen->ended = await_end(program, session->child, pause);
        now = trace_now(session->trace);
    }
    seen->us = (uint32_t)(now / 1000);
    if (!seen->ended)
        sampler_look(sampler);
    if (session->trace->ready == TRACE_ENDS) /* it waits for us */
        seen->ended = true;
    sampler_free(sampler);
}

/* Whether our root is that of a file system, as it is but in a container or another root. */
static bool has_whole_root(void)
{
    char *line = NULL, root[8], point[8];
    size_t room = 0;
    bool whole = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !whole && getline(&line, &room, mounts) > 0)
        whole = sscanf(line, "%*s %*s %*s %7s %7s", root, point) == 2 && strcmp(root, "/") == 0 &&
                strcmp(point, "/") == 0;
    if (mounts)
        fclose(mounts);
    free(line);
    return whole;
}

/*
 * A container, or the step that makes an image, ends with the program, and we with it: by the PID
 * namespace, or by the root, where images are built without namespaces. Then the program waits for
 * its profile before it ends.
 */
static bool may_end_with_program(void)
{
    return !adopter_is_machine() || !has_whole_root();
}

/* The watcher: ends with it. */
static _Noreturn void stand_beside(struct session *session, int pipe_end, uint64_t most_ns,
                                   const struct beside_keeper *keeper)
{
    uint8_t *bytes;
    size_t size;
    struct beside_seen seen = {.ended = false};
    detach(pipe_end);
    if (!keeper->admit(keeper->context))
        _exit(EXIT_FAILED);
    session_create_trace(session);
    session->trace->until_ready = true;
    session->trace->until_listen = true;
    session->trace->no_tracer = true;
    session->trace->main_pid = may_end_with_program() ? (uint32_t)session->child : 0;
    session->trace->readahead_is_off = true; /* as far as the program is to know */
    if (write_all(pipe_end, session->trace_path, sizeof session->trace_path) != 0)
        _exit(EXIT_FAILED);
    close(pipe_end);
    seen.since = session->since = session_next_tick();
    watch(session, most_ns, &seen);
    session_make_profile(session, &bytes, &size);
    keeper->keep(keeper->context, bytes, size, &seen);
    session->trace->written = 1;
    _exit(EXIT_SUCCESS);
}

bool record_beside(const struct program *program, uint64_t most_ns,
                   const struct beside_keeper *keeper)
{
    static struct session session;
    int ends[2];
    session.program = *program;
    session.child = getpid();
    session.object = look_for_component(RECORD_OBJECT);
    if (!session.object || !become_can_name(session.object) || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t first = fork();
    if (first == 0) {
        /* Where the program has no standard streams, the pipe may have taken their place. */
        int end = fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (end >= 0 && fork() == 0)
            stand_beside(&session, end, most_ns, keeper);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    while (first > 0 && waitpid(first, NULL, 0) < 0 && errno == EINTR) {
    }
    bool begun = first > 0 && read(ends[0], session.trace_path, sizeof session.trace_path) ==
                                  (ssize_t)sizeof session.trace_path;
    close(ends[0]);
    if (begun)
        session_set_environment(&session);
    return begun;
}
