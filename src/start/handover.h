/*
 * handover.h: tells the constructor of a program that its start has been begun ahead of it.
 *
 * By coldboost run and coldboost-wrapper, which become the program by exec: as text in the
 * environment. By the auditor, in the same process, where nobody can add a variable to the block
 * that the kernel made: as a struct in front of the text of LD_AUDIT.
 */
#pragma once

#include "start/options.h"

#include <stdbool.h>
#include <stdint.h>

struct handover {
    uint64_t started_ns; /* CLOCK_MONOTONIC */
    uint64_t start;      /* enum coldboost_start */
    uint64_t arm;        /* enum telemetry_arm */
    /* profile_hash() of the executable that it is for: a shell may become the next program. */
    uint64_t executable_hash;
};

/* "PID:NS:START:ARM:HASH", for this process and whatever it becomes. */
#define HANDOVER_VARIABLE "COLDBOOST_STARTED"
#define HANDOVER_BYTES    80

void handover_write(const struct handover *handover, char text[HANDOVER_BYTES]);

/* Numbers that are missing are 0. Returns whether the text is for this process; NULL is not. */
bool handover_parse(const char *text, struct handover *out);

/*
 * Leaves it in the block for the constructor of this process, which has to take it out again;
 * nothing happens if there is no LD_AUDIT or no memory.
 */
void handover_leave(char *const *envp, const struct handover *handover);

/*
 * What has been handed over to this process in either way; the block is then as the kernel made it.
 * False if there is nothing.
 */
bool handover_take(char *const *envp, const struct options *options, struct handover *out);
