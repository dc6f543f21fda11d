/*
 * walker.h: libcoldboost-stacks.so, which walks call stacks in recorded programs.
 */
#pragma once

/*
 * Finds it and tries whether it can be loaded; exits with a message that names the missing package
 * if not. Returns the paths of all that it brings into a program, its own first, NULL at the end:
 * no recording should name them.
 */
char **find_walker(void);
