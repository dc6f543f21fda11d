/*
 * resolve.h: what a file is really called.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The path of an open file; false if it is a pipe, out of our reach, or /proc is not mounted. */
bool resolve_descriptor(int fd, char *resolved, size_t bytes);

/* The path without symbolic links, as realpath(); false if there is no such file or no /proc. */
bool resolve_path(const char *path, char *resolved, size_t bytes);
