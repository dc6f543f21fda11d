/*
 * recorded.h: tells the constructor of a program that its start is being recorded. Without libc.
 */
#pragma once

#include "start/handover.h"

/*
 * The text of HANDOVER_VARIABLE for the program that this process becomes: it is not to be recorded
 * again, and no replay of the executable is to be begun. NULL: only the first.
 */
void recorded_mark(const char *executable, char id[HANDOVER_BYTES]);
