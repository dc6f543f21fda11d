/*
 * recorded.h: tells the constructor of a program that its start is being recorded.
 */
#pragma once

#include "cli/command.h"
#include "start/program.h"

/*
 * Sets a variable for the constructor of the program that this process becomes: it is not to be
 * recorded again. is_begun: and no replay of it is to be begun.
 */
void recorded_mark(const struct program *program, bool is_begun);
