/*
 * format.h: what passes between the recorder inside the programs and the tool that watches them.
 *
 * A trace is one sparse file in memory, of fixed size, made by the tool and mapped shared by every
 * recorded process. Where nobody may watch it is a file of a store, and taken from there later.
 * Space is claimed with an atomic add and a record becomes visible with its last store: there is no
 * lock, whatever was written before a SIGKILL is there, and all processes share one time axis. A
 * process that dies between the claim and the last store leaves a gap of zeros or of an incomplete
 * record, which readers step over.
 *
 *   header │ slots: a hash table of file records │ records, in units of TRACE_UNIT bytes
 *
 * Processes and files are named by the unit where their record starts; 0 names nothing.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_VARIABLE    "COLDBOOST_TRACE" /* environment: path of the trace */
#define TRACE_MAGIC       "CBTRACE2"        /* another, when anything below changes */
#define TRACE_BYTES       (512u << 20)      /* what the tool takes: room for 16 million ranges */
#define TRACE_LEAST_BYTES (1u << 20)        /* what it does with where there are limits: 24,000 */
#define TRACE_UNIT        32u
#define TRACE_SLOTS       65536u
#define TRACE_PAGE_BYTES  4096u /* the unit of ranges, as in a profile, whatever the machine's */
#define TRACE_PIDS        1024u
#define TRACE_PATH        4096u
#define TRACE_STACK_DEPTH 16u /* calls of a stack that are of use */

struct trace_header {
    uint8_t magic[8];
    uint64_t bytes;    /* of the whole trace */
    uint64_t start_ns; /* CLOCK_MONOTONIC; times in records count from here */
    _Atomic uint64_t next_unit;
    _Atomic uint32_t lost;      /* records that found no room */
    _Atomic uint32_t finished;  /* from now on nothing is recorded */
    _Atomic uint32_t pid_count; /* processes that attached; the last TRACE_PIDS are in pids */
    _Atomic uint32_t ready;     /* enum trace_ready: the start is over */
    uint32_t until_ready;       /* the tool waits for that */
    uint32_t until_listen;      /* and for that: a process listens on a socket */
    _Atomic uint32_t written;   /* the tool has written the profile; that process waits for it */
    uint32_t until_exit;        /* nobody stops watching before the programs end */
    uint32_t readahead_is_off;  /* then mappings need no MADV_RANDOM */
    uint32_t no_tracer;         /* nobody answers those who ask to be watched (watched.h) */
    uint32_t main_pid;       /* when this process ends the start is over; 0: the tool sees that */
    uint64_t alone_ns;       /* after so long too, as nobody watches; 0: somebody does */
    _Atomic uint64_t asks;   /* a thread that wants to be watched from outside (watched.h) */
    _Atomic uint32_t walks;  /* a process could load the object below */
    char stacks[TRACE_PATH]; /* the object that walks call stacks; empty: none are wanted */
    _Atomic uint32_t pids[TRACE_PIDS];
    _Atomic uint32_t slots[TRACE_SLOTS];
};

enum trace_ready {
    TRACE_READY = 1, /* a process asked for its first Lambda invocation, or listens */
    TRACE_ENDS = 2,  /* main_pid is about to end */
};

enum trace_kind {
    TRACE_PROCESS = 1,
    TRACE_FILE = 2,
    TRACE_RANGE = 3,
    TRACE_STACK = 4,
    TRACE_NOTE = 5,        /* for whoever takes the trace; no writer's */
    TRACE_COMPLETE = 0x80, /* or-ed to the kind by the last store */
};

struct trace_record {
    _Atomic uint16_t kind;
    uint16_t units; /* of the whole record */
};

/* One program image: a process has several when it executes other programs. */
struct trace_process {
    struct trace_record record;
    uint32_t pid; /* in the process's own namespace */
    uint64_t time_ns;
    char path[]; /* its executable */
};

/* The device of keys that are made of a path; no file system has it. */
#define TRACE_KEY_PATH UINT64_MAX

/* key_* is how the recorder found the file: fstat and /proc/PID/maps disagree on overlayfs. */
struct trace_file {
    struct trace_record record;
    uint32_t mode; /* stat of path when it was first seen; 0: there is no such path */
    uint64_t key_device, key_inode;
    uint64_t device, inode;
    _Atomic uint32_t has_stack; /* or needs none: it was there at the start */
    char path[];
};

enum trace_how {
    TRACE_MAPPED = 1,
    TRACE_READ = 2,
    TRACE_LISTED = 3,    /* a directory, no pages */
    TRACE_LOOKED_UP = 4, /* a path, no pages */
    TRACE_LOADED = 5,    /* by the loader before all else; with or without pages */
};

struct trace_range {
    struct trace_record record;
    uint32_t process;
    uint32_t file;
    uint32_t first_page; /* in units of TRACE_PAGE_BYTES */
    uint32_t page_count;
    uint32_t how;
    uint64_t time_ns;
};
static_assert(sizeof(struct trace_range) == TRACE_UNIT, "one range is one unit");

/* A place in a file. file 0: code that was made at run time, or the kernel's. */
struct trace_frame {
    uint32_t file;
    uint32_t reserved;
    uint64_t offset;
};

/* Who first used a file, the innermost call first. */
struct trace_stack {
    struct trace_record record;
    uint32_t process;
    uint32_t file;
    uint32_t frame_count;
    struct trace_frame frames[];
};

#define TRACE_FIRST_UNIT ((uint32_t)((sizeof(struct trace_header) + TRACE_UNIT - 1) / TRACE_UNIT))

/*
 * Writers. All are lock-free and async-signal-safe, use no libc, and leave errno alone. They answer
 * 0 or do nothing when the trace is full or finished.
 */

/* Whether the bytes are a trace; from then on it is the only one of this process. */
bool trace_use(const struct trace_header *trace, size_t bytes);

/* Maps the trace at path, and uses it; NULL unless it is one. */
struct trace_header *trace_map(const char *path);

/*
 * How many units it has. Kept outside of it: any recorded program may have written over its header,
 * and others must not follow that beyond the end.
 */
uint64_t trace_units(void);

uint64_t trace_now(const struct trace_header *trace);

/* Returns the process's name in the trace. The path is made of length bytes. */
uint32_t trace_add_process(struct trace_header *trace, uint32_t pid, const char *path,
                           uint32_t length);

/* The file with this key, or 0 if the trace does not know it yet. */
uint32_t trace_find_file(struct trace_header *trace, uint64_t device, uint64_t inode);

/* Makes the file known, from its path; the status of that path is looked up here. */
uint32_t trace_add_file(struct trace_header *trace, uint64_t device, uint64_t inode,
                        const char *path, uint32_t length);

/* The file with the device and inode of an open descriptor, whose link in /proc names its path; 0
 * if it has none. */
struct stat;
uint32_t trace_opened_file(struct trace_header *trace, const struct stat *status, const char *link);

/* The file that is mapped there. */
struct mapping;
uint32_t trace_mapped_file(struct trace_header *trace, const struct mapping *mapping);

/* A path that was looked up, whatever stands there: known by its name alone. Returns its file. */
uint32_t trace_path(struct trace_header *trace, const char *path, uint32_t length);

const struct trace_file *trace_file_at(const struct trace_header *trace, uint32_t file);

void trace_add_range(struct trace_header *trace, const struct trace_range *range);

/* Whether nobody has claimed the file's one stack before; add it then. */
bool trace_claim_stack(struct trace_header *trace, uint32_t file);
void trace_add_stack(struct trace_header *trace, uint32_t process, uint32_t file,
                     const struct trace_frame *frames, uint32_t count);
