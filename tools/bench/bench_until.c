/*
 * bench_until.c: starts whose end is not what is waited for: servers, and the constructor's report.
 */
#include "bench/bench.h"
#include "cli/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KNOCK_NS  500000 /* how often a port is tried */
#define START_MS  60000.0
#define END_MS    10000     /* between SIGTERM and SIGKILL */
#define FREE_NS   900000000 /* the longest pause before a port must be free */
#define TEXT_SIZE 4096

enum sign { NO_SIGN, CONTROL, UNTIL };

/* A start that is being observed, and the end of its output; descriptors or -1. */
struct observed {
    const struct bench *bench;
    const char *report; /* of the constructor, or NULL */
    pid_t child;
    double begin;
    int process, output, client;
    size_t bytes;
    char text[2 * TEXT_SIZE];
};

static bool has_said(const struct observed *start, const char *text)
{
    return text && memmem(start->text, start->bytes, text, strlen(text));
}

/* Reads more of the output, behind what may be the beginning of a text. False at its end. */
static bool read_output(struct observed *start)
{
    if (start->bytes > TEXT_SIZE) {
        memmove(start->text, start->text + start->bytes - TEXT_SIZE, TEXT_SIZE);
        start->bytes = TEXT_SIZE;
    }
    ssize_t n = read(start->output, start->text + start->bytes, TEXT_SIZE);
    if (n <= 0)
        return false;
    bench_keep_words(start->bench, start->text + start->bytes, n);
    start->bytes += (size_t)n;
    return true;
}

/* Whether the request for an invocation has come; it is not answered. */
static bool has_asked(struct observed *start)
{
    static const char next[] = "/runtime/invocation/next";
    char text[TEXT_SIZE];
    if (start->client < 0)
        start->client = accept4(start->bench->listener, NULL, NULL, SOCK_CLOEXEC);
    ssize_t n = start->client < 0 ? 0 : recv(start->client, text, sizeof text, MSG_DONTWAIT);
    if (n > 0 && memmem(text, (size_t)n, next, sizeof next - 1))
        return true;
    if (n == 0 && start->client >= 0) {
        close(start->client);
        start->client = -1;
    }
    return false;
}

/* The constructor's report, if that is there and has not been read: what is waited for comes behind
 * it, but a busy machine may show both at once. */
static bool has_reported(struct observed *start)
{
    struct pollfd wait = {.fd = start->output, .events = POLLIN};
    if (start->report && !has_said(start, start->report) && poll(&wait, 1, 0) == 1)
        read_output(start);
    return has_said(start, start->report);
}

static enum sign look(struct observed *start)
{
    const struct until *until = &start->bench->until;
    bool is_there = (until->kind == UNTIL_LINE && has_said(start, until->text)) ||
                    (until->kind == UNTIL_PORT && until_port_answers(until->port)) ||
                    (until->kind == UNTIL_READY && has_asked(start));
    return has_reported(start) ? CONTROL : is_there ? UNTIL : NO_SIGN;
}

/* Waits for a sign, or for the end; *ms: when it came. */
static enum sign await_sign(struct observed *start, double *ms)
{
    enum { LAST_READS = 16 }; /* once it has ended: what it leaves running may write for ever */
    const struct until *until = &start->bench->until;
    const struct timespec knock = {.tv_nsec = KNOCK_NS};
    enum sign sign = NO_SIGN;
    for (int left = LAST_READS; left > 0;) {
        struct pollfd wait[] = {
            {.fd = start->process, .events = POLLIN},
            {.fd = start->output, .events = POLLIN},
            {.fd = start->client >= 0 ? start->client : start->bench->listener, .events = POLLIN}};
        int ready = ppoll(wait, 3, until->kind == UNTIL_EXIT ? NULL : &knock, NULL);
        if (ready < 0 && errno != EINTR)
            break;
        bool has_ended = wait[0].revents, has_output = wait[1].revents;
        if (has_output && !read_output(start))
            start->output = -1;
        if (sign == NO_SIGN && (sign = look(start)) != NO_SIGN)
            *ms = now_ms() - start->begin;
        if (until->kind != UNTIL_EXIT && (sign || now_ms() - start->begin > START_MS))
            break;
        if (has_ended || (until->kind == UNTIL_EXIT && start->output < 0))
            left = has_output && start->output >= 0 ? left - 1 : 0;
    }
    return sign;
}

/* What is left of it and its children when it has ended, or does not end in time, is killed: a port
 * must be free again. */
static void end_server(const struct observed *start)
{
    struct pollfd wait = {.fd = start->process, .events = POLLIN};
    kill(start->child, SIGTERM);
    poll(&wait, 1, END_MS);
    kill(-start->child, SIGKILL);
}

/* The wait status of a server that has been ended, which says nothing if there was a sign. */
static int judge(const struct bench *bench, enum sign sign, int status)
{
    bool is_ours =
        WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
    if (sign)
        return bench->expected;
    return is_ours || status == bench->expected ? BENCH_NO_SIGN : status;
}

/* Whoever listens there would answer for the start, and a child of the last one that was killed may
 * do so a little longer. It is asked ever less often: nobody takes the connections. */
static void await_free_port(const struct until *until)
{
    struct timespec pause = {.tv_nsec = KNOCK_NS};
    while (until->kind == UNTIL_PORT && until_port_answers(until->port)) {
        if (pause.tv_nsec > FREE_NS)
            fail(EXIT_FAILED, "port %u still answers before a start; end what listens there",
                 until->port);
        nanosleep(&pause, NULL);
        pause.tv_nsec *= 2;
    }
}

static enum sign observe(const struct bench *bench, enum bench_step step, bool cold,
                         const char *report, struct timeline_watch *watch, double *ms, int *status)
{
    int ends[2] = {-1, -1};
    bool has_output = report || bench->until.kind == UNTIL_LINE;
    if (has_output && pipe2(ends, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    await_free_port(&bench->until);
    struct observed start = {.bench = bench, .report = report, .output = ends[0], .client = -1};
    start.child =
        bench_spawn(bench, step, cold, has_output ? ends[1] : bench->words, watch, &start.begin);
    if (has_output)
        close(ends[1]);
    start.process = (int)syscall(SYS_pidfd_open, start.child, 0);
    enum sign sign = await_sign(&start, ms);
    if (has_output)
        close(ends[0]);
    if (bench->until.kind != UNTIL_EXIT)
        end_server(&start);
    *status = bench_await_end(start.child);
    if (bench->until.kind != UNTIL_EXIT)
        *status = judge(bench, sign, *status);
    if (start.client >= 0)
        close(start.client);
    if (start.process >= 0)
        close(start.process);
    return sign;
}

int bench_start_server(const struct bench *bench, enum bench_step variant,
                       struct timeline_watch *watch, double *ms)
{
    int status;
    observe(bench, variant, bench_kind(variant)->cold, NULL, watch, ms, &status);
    return status;
}

double bench_time_constructor(const struct bench *bench, bool cold)
{
    double ms = NAN;
    int status;
    enum sign sign = observe(bench, CONSTRUCTOR, cold, "coldboost: role=", NULL, &ms, &status);
    bench_expect_good_end(bench, CONSTRUCTOR, status);
    return sign == CONTROL ? ms : NAN;
}

void bench_listen(struct bench *bench)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, bytes) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        fail(EXIT_FAILED, "a socket on 127.0.0.1: %s", strerror(errno));
    bench->listener = fd;
    char *variable = xasprintf("127.0.0.1:%u", ntohs(address.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", variable, 1);
    free(variable);
}
