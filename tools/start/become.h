/*
 * become.h: the last steps of a process that becomes a program with libcoldboost.so in front of it.
 *
 * Without libc, because the wrapper and the front have none: no output, no errno, nothing allocated
 * that is not said, nothing left open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Of libcoldboost.so, libcoldboost-record.so and coldboost-tool, without their symbols. */
#define OBJECT_BYTES   (128u << 10)
#define RECORDER_BYTES (128u << 10)
#define TOOL_BYTES     (384u << 10)

/*
 * Starts to read a file that is about to be mapped: page by page it would be read one after the
 * other, and behind all that the replay has asked for.
 */
void become_read_ahead(const char *path, size_t bytes);

/*
 * Whether LD_PRELOAD can name the file at this path: loaders split its value at blanks and colons,
 * and glibc replaces $ORIGIN, $LIB and $PLATFORM.
 */
bool become_can_name(const char *path);

/* What is set for the program. NULL or "" leaves a variable as it is. */
struct become_variables {
    const char *profile;  /* COLDBOOST_PROFILE */
    const char *object;   /* in front of what LD_PRELOAD has, if that can name it */
    const char *recorder; /* between the two, as the caller knows that it can be named; or NULL */
    const char *trace;    /* COLDBOOST_TRACE */
    const char *id;       /* COLDBOOST_STARTED */
};

/*
 * A copy of the environment with these variables set. It is mapped and lasts until exec. NULL if
 * there is no memory.
 */
char *const *become_environment(char *const *envp, const struct become_variables *set);

/*
 * Becomes the program at the path; or the shell if the kernel does not take it and it is a text, as
 * execvp() does. argv[-1] must be there: it makes room for one argument more. Returns only the
 * -errno of execve().
 */
long become_program(const char *path, char **argv, char *const *envp);

/* Changes a command line into that of the shell for the text at the path; it begins at argv[-1]. */
void become_insert_shell(const char *path, char **argv);
