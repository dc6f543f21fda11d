/*
 * obstacle.h: the words for what stands in the way of a program: one message for record, run, bench
 * and inspect.
 */
#pragma once

#include "start/program.h"

/* Why it cannot be started, or nothing can be preloaded into it. The caller's to free; NULL for
 * OBSTACLE_NONE. */
char *obstacle_text(const struct program *program);

/* What else to do with a program that cannot be preloaded. The caller's to free; NULL if nothing
 * helps. */
char *obstacle_remedy(const struct program *program);

/* For a program that can be preloaded: OBSTACLE_PLACE if no loader could be told to preload
 * libcoldboost.so from where it is installed. */
void obstacle_check_place(struct program *program);

/*
 * Finds a command as execvp() would and looks at the program behind it. Exits with 127 or 126 and a
 * message if it cannot be started at all.
 */
void find_program(const char *command, struct program *out);
