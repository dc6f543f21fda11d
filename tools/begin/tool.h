/*
 * tool.h: coldboost-tool in a process of its own, where this one is to become a program. It is none
 * of the program's: it has no terminal, none of its descriptors, and libraries of its own. Where it
 * cannot even be loaded, as with an older libc, only the recording is lost. Without libc.
 */
#pragma once

#include <stdbool.h>

/* "coldboost NAME FIRST COMMAND…"; they last until exec. NULL if there is no memory. */
char **tool_arguments(const char *name, const char *first, char *const *command);

/* For a child of ours: becomes the tool, with this descriptor, or -1, and no other. Returns if that
 * fails. */
void tool_become(const char *tool, char **arguments, char *const *envp, int kept);

/* Runs the tool in a child, and waits for it. Returns whether its exit status is 0. */
bool tool_run(const char *tool, char **arguments, char *const *envp);
