/*
 * recorded.h: tells the constructor of a program that its start is being recorded.
 */
#ifndef CB_RECORDED_H
#define CB_RECORDED_H

#include "cli/command.h"
#include "start/program.h"

/* Nothing is left for the constructor of the program that this process becomes: sets a variable. */
void recorded_mark(const struct program *program);

#endif
