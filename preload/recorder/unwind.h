/*
 * unwind.h: the one function of libcoldboost-stacks.so.
 */
#pragma once

#include <stdint.h>

/*
 * Fills in the addresses of the calls that led here, the innermost first, at most `room`, and
 * returns how many. Ends where a frame has no unwind information and cannot be guessed. Leaves
 * errno alone. Not for a thread that is in it already.
 */
unsigned coldboost_walk_stack(uintptr_t *addresses, unsigned room);
