/*
 * record_program.c: runs the program that is recorded. It must not notice: descriptors, output,
 * signals and exit status are its own.
 */
#include "cli/command.h"
#include "record/session.h"
#include "start/become.h"
#include "start/launch.h"
#include "trace/watched.h"
#include "watch/outside.h"
#include "watch/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* For the program that this process becomes. */
static void set_environment(const struct session *session)
{
    preload_object(session->object);
    if (setenv(TRACE_VARIABLE, session->trace_path, 1) != 0)
        fail(EXIT_FAILED, "cannot set the environment: %s", strerror(errno));
}

/* In the child: gets ready to be recorded. Returns 0, or a negative errno if it cannot be. */
static int prepare(const struct session *session)
{
    if (session->from_outside)
        return watched_begin(session->trace);
    set_environment(session);
    return 0;
}

static _Noreturn void fail_start(const struct session *session, int error)
{
    const char *path = session->program.path;
    if (error < 0)
        fail(EXIT_CANNOT_EXECUTE,
             "%s cannot be preloaded, and watching it from outside is not allowed here (ptrace: "
             "%s); in a container, allow ptrace (--cap-add SYS_PTRACE, or its seccomp profile); "
             "outside, see /proc/sys/kernel/yama/ptrace_scope",
             path, strerror(-error));
    fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s: %s", path, strerror(error));
}

/* Starts the command; a failed exec comes back through the pipe, which a successful one closes. */
void session_start_program(struct session *session)
{
    int report_pipe[2];
    if (pipe2(report_pipe, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    session->child = fork();
    if (session->child < 0)
        fail(EXIT_FAILED, "fork: %s; raise the limit of processes (ulimit -u)", strerror(errno));
    if (session->child == 0) {
        int error = prepare(session);
        if (!error) {
            signal(SIGCHLD, session->on_child);
            sigprocmask(SIG_SETMASK, &session->mask, NULL);
            error = (int)-become_program(session->program.path, session->options.command, environ);
        }
        ssize_t n = write(report_pipe[1], &error, sizeof error);
        _exit(n == sizeof error ? EXIT_CANNOT_EXECUTE : EXIT_FAILED);
    }
    close(report_pipe[1]);
    int error = 0;
    struct pollfd report = {report_pipe[0], POLLIN, 0};
    while (session->from_outside && poll(&report, 1, 1) == 0)
        outside_serve(session->trace, session->trace_mapping);
    if (read(report_pipe[0], &error, sizeof error) > 0)
        fail_start(session, error);
    close(report_pipe[0]);
}

/* A key on the terminal reaches the program without us. */
static void forward(const struct session *session, const siginfo_t *signal)
{
    if (signal->si_code != SI_KERNEL || signal->si_signo == SIGHUP || signal->si_signo == SIGTERM)
        kill(session->child, signal->si_signo);
}

static bool is_over(const struct session *session)
{
    const struct until *until = &session->options.until;
    switch (until->kind) {
    case UNTIL_READY:
    case UNTIL_LISTEN:
        return session->trace->ready;
    case UNTIL_SECONDS:
        return trace_now(session->trace) >= until->ns;
    case UNTIL_PORT:
        return until_port_answers(until->port);
    default:
        return false;
    }
}

int session_watch_program(struct session *session)
{
    struct sampler *sampler = sampler_new(session->trace, session->trace_mapping,
                                          session->from_outside ? 0 : session->child, NULL);
    for (;;) {
        uint64_t before = trace_now(session->trace);
        if (!session->written) {
            sampler_look(sampler);
            outside_serve(session->trace, session->trace_mapping);
        }
        if (!session->written && is_over(session))
            session_write_profile(session);
        uint64_t pause = sampler_pause_ns(trace_now(session->trace) - before);
        struct timespec timeout = {(time_t)(pause / 1000000000), (long)(pause % 1000000000)};
        siginfo_t signal;
        int number = sigtimedwait(&session->signals, &signal, session->written ? NULL : &timeout);
        int status = 0;
        pid_t ended = 0;
        while (number == SIGCHLD && ended != session->child &&
               (ended = waitpid(-1, &status, WNOHANG)) > 0) {
        } /* watchers end too */
        if (ended == session->child) {
            if (!session->written)
                sampler_look(sampler); /* children that outlive it */
            sampler_free(sampler);
            return status;
        }
        if (number > 0 && number != SIGCHLD)
            forward(session, &signal);
    }
}
