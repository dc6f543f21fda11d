/*
 * carry.h: the environment variables that carry a recording on into other programs, for a program
 * may hand on an environment of its own. System calls are not needed, nor memory of its own.
 */
#pragma once

#include <stddef.h>

extern char **environ __attribute__((weak));

/* Copies the two variables that this process was started with. Returns the path of the trace, or
 * NULL if nothing is to be recorded. */
const char *record_remember_environment(char *const *given);

/*
 * An environment which carries the recording on into another program. Returns 0 if the given one
 * does, otherwise the number of bytes that record_environment() needs to make one.
 */
size_t record_environment_bytes(char *const *given);
char **record_environment(char *const *given, void *room);

/* The value of a variable, or NULL; name ends in '='. */
const char *record_variable(char *const *environment, const char *name);
