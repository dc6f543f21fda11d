/*
 * installation.h: finds the other files of this installation, relative to the running program, so
 * that an installation can be moved as a whole.
 *
 * Without libc, because the wrapper and the front have none. `called` is what the program was
 * executed as (AT_EXECFN), which serves where /proc is not mounted.
 */
#pragma once

#include <stdbool.h>

/* What is preloaded into a program that is recorded. */
#define RECORD_OBJECT "libcoldboost-record.so"

#define INSTALLATION_PATH_BYTES 4096

/* The file of this name in the folder of the running program. Returns whether it is there; the path
 * is the one that was looked at, or "" if the folder is unknown. */
bool installation_find(const char *called, const char *name, char path[INSTALLATION_PATH_BYTES]);

/* The same for a shared object: in the library folder, beside the program, or in a build tree. */
bool installation_find_object(const char *called, const char *name,
                              char path[INSTALLATION_PATH_BYTES]);
