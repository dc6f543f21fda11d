/*
 * look.h: what a guest in a program could have changed, printed, so that runs with and without
 * libcoldboost.so can be compared.
 */
#pragma once

#include <sys/types.h>

/* Every descriptor with its flags, and the number that the next one would get. */
void print_descriptors(void);

/* Mask, pending signals, dispositions and the alternative stack. */
void print_signals(void);

/* What a process has one of: umask, folder, environment, alarm, CPUs, name. */
void print_process(void);

/* What would be left of a replay: threads, and memory that belongs to no file. */
void print_leftovers(void);

/* What the calls that wait for any child say, before, with and after one; its SIGCHLDs. */
void print_children(void);

/* The status that waitpid() gives, or -errno. */
int status_of(pid_t child);

void sleep_ms(long ms);

/* Threads of this process, an emulator's among them. */
int count_tasks(void);

/* Until the process has its own threads only: one, or $VICTIM_TASKS; 30 seconds is the end of
 * patience. */
void wait_for_threads(void);

/* The same, and until this session has no orphan of ours: a replay in a process of its own. */
void wait_for_replay(void);
