/*
 * call_stacks.h: who first used a file. All does nothing unless the tool has asked for call stacks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool record_wants_stacks(void);

/* Takes this thread's stack if the file has none yet. */
void record_stack(uint32_t file);

/* Gives what has been loaded since the last dlopen the stack of that. */
void record_loaded(void);

/* In a child of fork. */
void record_stacks_child(void);
