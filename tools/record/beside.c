/*
 * beside.c: the watcher that records a start from beside it. The program is neither its child nor
 * its parent: it is seen through /proc, and its end through a pidfd.
 */
#include "record/beside.h"

#include "base/sys.h"
#include "base/text.h"
#include "cli/command.h"
#include "record/alone.h"
#include "record/session.h"
#include "watch/sampler.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct trace_header *trace;

/* What has been written into the trace can be anything. */
static bool is_good(const struct watcher_note *note)
{
    const struct store_entry *entry = &note->entry;
    return !entry->folder[sizeof entry->folder - 1] && !entry->name[sizeof entry->name - 1] &&
           !entry->general[sizeof entry->general - 1] && !strchr(entry->name, '/') &&
           !strchr(entry->general, '/') && !note->before[sizeof note->before - 1];
}

bool beside_open(int fd, struct watcher_note *note)
{
    char link[TEXT_DESCRIPTOR_LINK];
    trace = trace_map(text_descriptor_link(link, fd));
    const void *found = trace ? record_note((void *)trace, trace->bytes, sizeof *note) : NULL;
    if (!found)
        return false;
    memcpy(note, found, sizeof *note);
    return is_good(note);
}

/* A program that is over sends no signal, and nobody sends another. */
static void ignore_signals(void)
{
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
static void watch(struct session *session, const char *before, uint64_t most_ns,
                  struct beside_seen *seen)
{
    struct sampler *sampler =
        sampler_new(session->trace, session->trace_mapping, session->child, before);
    int program = sys_pidfd_open(session->child);
    uint64_t now = 0;
    while (!seen->ended && !session->trace->ready && now < most_ns) {
        uint64_t began = trace_now(session->trace), bytes = read_from_storage(session->child);
        seen->read_bytes = bytes ? bytes : seen->read_bytes;
        sampler_look(sampler);
        uint64_t pause = sampler_pause_ns(trace_now(session->trace) - began);
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

static void record(struct session *session, const char *before, uint64_t most_ns,
                   const struct beside_keeper *keeper)
{
    uint8_t *bytes;
    size_t size;
    struct beside_seen seen = {.since = session->since};
    watch(session, before, most_ns, &seen);
    session_make_profile(session, &bytes, &size);
    keeper->keep(keeper->context, bytes, size, &seen);
}

void beside_watch(const struct watcher_note *note, uint64_t most_ns,
                  const struct beside_keeper *keeper)
{
    static struct session session;
    ignore_signals();
    session.trace = trace;
    session.child = (pid_t)note->program;
    session.since = (struct timespec){.tv_sec = (time_t)(note->since_ns / 1000000000),
                                      .tv_nsec = (long)(note->since_ns % 1000000000)};
    session.object = look_for_component(RECORD_OBJECT);
    watcher_mapping(note->program, session.trace_mapping);
    if (keeper->admit(keeper->context))
        record(&session, note->before, most_ns, keeper);
    trace->finished = 1;
    trace->written = 1; /* the program may be waiting */
}
