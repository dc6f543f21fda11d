/*
 * plan.h: what a replay is to do, and what has become of it.
 */
#pragma once

#include "replay/load.h"
#include "replay/working_set.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a replay runs: beside the program in a process of its own or in a thread of it, or before
 * the program goes on. */
enum replay_mode { MODE_PROCESS, MODE_THREAD, MODE_SYNC };

#define REPLAY_MOST_WORKERS 16

/* What has become of a replay. Telemetry records hold these numbers: new ones go to the end. */
enum replay_state {
    STATE_NONE,        /* nothing was to be replayed */
    STATE_DONE,        /* all that was asked for */
    STATE_SKIPPED,     /* the files were in memory */
    STATE_BUDGET,      /* a budget was used up first: see budget_hits */
    STATE_UNFINISHED,  /* the program was faster */
    STATE_BAD_PROFILE, /* it is damaged */
};

/* Several threads add to it as they read; the others look at it meanwhile. */
struct replay_result {
    struct working_set_counters counters;
    uint32_t ranges_total;  /* that the profile has for the program */
    uint32_t budget_hits;   /* enum budget_hit, added up */
    uint64_t storage_bytes; /* read from storage, if the plan counts them */
};

struct replay_plan {
    struct loaded_profile *profile; /* all of it, validated or not */
    const char *executable;         /* as the profile names it */
    enum replay_mode mode;
    unsigned workers, most_workers; /* at first, and where storage is slow; the leader is one */
    uint64_t budget_bytes;          /* or BUDGET_BY_MEMORY */
    uint64_t granted_bytes;         /* memory that the process may use, for that; 0: unknown */
    uint64_t deadline_ns;           /* on sys_monotonic_ns() */
    bool looks;                     /* first whether the files are in memory already */
    bool only_asks;                 /* for pages: waits for none, and looks up no other path */
    bool is_checked;                /* the profile; a replay has begun with it, and sorted it */
    bool keeps_stderr;              /* ended() may write to it */
    bool counts_storage;
    /* In MODE_PROCESS: the caller becomes the program by exec, and its memory is the replay's from
     * the start on. To copy it would take longer than all that the caller does before. */
    bool leaves_memory;
    struct replay_result *result;
    /*
     * Called by whoever ends the replay: its leader, and in MODE_PROCESS also the thread that has
     * seen the program end first, perhaps at the same time. Returns false while another thread is
     * in it: the process must not end then.
     */
    bool (*ended)(enum replay_state state);
    /*
     * NULL, or in MODE_PROCESS: called when the program has ended before the deadline. Until then a
     * replay that is over stays, with nothing open and the profile unloaded.
     */
    void (*program_ended)(void);
};
