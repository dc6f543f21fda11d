/*
 * output.h: where a sub-command writes what it was run for: -o and --plot.
 *
 * "-" is standard output. What is no regular file (a device, a FIFO, /dev/stdout) is written to; a
 * symbolic link stays, and what it leads to is written. A regular file is replaced as a whole, and
 * keeps its mode, owner and group.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Exits with a message if output_write() could not succeed: to be called before the work, which may
 * take minutes or have effects of its own. Leaves nothing behind.
 */
void output_check(const char *path);

/*
 * Writes all bytes; makes the last folder of the path if it is missing. False, after a message, if
 * that fails: a regular file is then as it was.
 */
bool output_write(const char *path, const void *bytes, size_t size);

/* Whether the path stands for this process's standard output. */
bool output_is_standard(const char *path);

/* For messages: the path, or "standard output". */
const char *output_name(const char *path);
