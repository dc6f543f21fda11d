/*
 * search_path.h: looks for a command in the folders of PATH.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Puts the first FOLDER/NAME that is accepted into path; false if none is. The folders are
 * separated by colons, and an empty one is the current folder. What does not fit into path is
 * passed over. System calls only; works between vfork and exec.
 */
bool search_path(const char *folders, const char *name, bool (*accepts)(const char *path),
                 char *path, size_t capacity);

/* For accepts: a regular file, which may perhaps not be executed; and one that may. */
bool is_regular_file(const char *path);
bool is_executable_file(const char *path);
