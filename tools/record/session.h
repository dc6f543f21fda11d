/*
 * session.h: a recording that is under way, and its steps: make the trace, run the program, write
 * the profile.
 */
#pragma once

#include "cli/installation.h"
#include "start/program.h"
#include "start/until.h"
#include "trace/format.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Files below `from` are named as if they were below `to`. */
struct path_map {
    const char *from, *to;
    size_t from_length;
};

struct record_options {
    const char *output; /* NULL: standard error, as lines of a log */
    struct until until;
    bool stacks;
    struct path_map *maps;
    size_t map_count;
    char **command;
};

/* A recording that is under way. */
struct session {
    struct record_options options;
    struct program program;
    bool from_outside;         /* it cannot be preloaded */
    bool is_taken;             /* the trace is an earlier one's, perhaps of another container */
    char *object;              /* path of libcoldboost-record.so */
    char **walker;             /* what --stacks brings into the program, NULL at the end; or NULL */
    char trace_path[PATH_MAX]; /* where recorded programs open the trace */
    char trace_mapping[96];    /* what it is called in /proc/PID/maps */
    struct trace_header *trace;
    struct timespec since;
    sigset_t signals;      /* that are for the program, or say that it has ended: blocked here */
    sigset_t mask;         /* the program's */
    void (*on_child)(int); /* what it is to do at SIGCHLD: what we were told to */
    pid_t child;
    bool written;
    bool failed;
};

/* Makes and maps the trace; exits with a message if that fails. */
void session_create_trace(struct session *session);

/* From when on what is written counts as written during the recording: waits for a clock tick. */
struct timespec session_next_tick(void);

/*
 * Starts the program; exits with a message if that fails. Then watches it until it ends, and
 * returns its wait status. Calls session_write_profile() where the recording is to stop before
 * that.
 */
void session_start_program(struct session *session);
int session_watch_program(struct session *session);

/* Stops recording and makes the profile of it: *bytes is the caller's to free, NULL if nothing was
 * recorded. For a session without options. */
void session_make_profile(struct session *session, uint8_t **bytes, size_t *size);

/* Stops recording and writes the profile; says what is in it, or sets `failed`. Once is enough. */
void session_write_profile(struct session *session);
