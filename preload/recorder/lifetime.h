/*
 * lifetime.h: when a recording ends in this process, and goes on in another.
 */
#pragma once

#include "trace/format.h"

/* In a child of fork: takes part as a process of its own. */
void record_child(void);

/* The last chance to look: this process image is about to end. */
void record_end(void);

/* The same, and the recording ends. Waits until its profile is written, where somebody writes it.
 */
void record_finish(enum trace_ready ready);

/* The process ends, and the recording with it if it is the main one. */
void record_exit(void);

/* The last chance, and nothing that this process does later is noted, nor any system call made for
 * it. */
void record_stop(void);
