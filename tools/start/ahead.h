/*
 * ahead.h: what happens ahead of exec, for coldboost run and coldboost-wrapper.
 *
 * Without libc, because the wrapper and the front have none: no output, no errno, nothing allocated
 * that is not said, nothing left open.
 */
#ifndef CB_AHEAD_H
#define CB_AHEAD_H

#include <stdbool.h>

#define AHEAD_PATH_BYTES 4096

/*
 * Where execvp() would find the command: in the buffer, or the command itself if it has a slash,
 * whether there is such a file or not. NULL if it is nowhere.
 */
const char *ahead_find_command(const char *command, char *const *envp,
                               char buffer[AHEAD_PATH_BYTES]);

/* The path without symbolic links, as realpath(); false if there is no such file or no /proc. */
bool ahead_resolve(const char *path, char resolved[AHEAD_PATH_BYTES]);

/*
 * The folder that this program lies in, "" for the root; its length, or -errno. `called` is what it
 * was executed as (AT_EXECFN), which serves where /proc is not mounted.
 */
long ahead_own_folder(const char *called, char folder[AHEAD_PATH_BYTES]);

/*
 * Starts to read the object that the loader is about to map: what is asked for then waits behind
 * all that the replay has asked for.
 */
void ahead_read_object(const char *path);

/* What executes a text that does not begin with "#!", by convention: as execvp() has it. */
#define AHEAD_SHELL "/bin/sh"

/* Whether the file is such a text. */
bool ahead_is_for_shell(const char *path);

/*
 * Becomes the program at the path, or the shell for such a text. argv[-1] must be there: it makes
 * room for one argument more. Returns only the -errno of execve().
 */
long ahead_execute(const char *path, char **argv, char *const *envp);

/*
 * What /proc/self/exe will name once `path` has been executed: symbolic links and "#!" lines are
 * followed, and a text without belongs to the shell. false if there is no such file or /proc is not
 * mounted; `executable` is then undefined.
 */
bool ahead_find_executable(const char *path, char executable[AHEAD_PATH_BYTES]);

/*
 * Whether LD_PRELOAD can name the file at this path: loaders split its value at blanks and colons,
 * and glibc replaces $ORIGIN, $LIB and $PLATFORM.
 */
bool ahead_can_name(const char *path);

/*
 * A copy of the environment with COLDBOOST_PROFILE set to the profile, the object in front of what
 * LD_PRELOAD has, and COLDBOOST_STARTED set to the id; "" leaves a variable as it is, and so does
 * an object that LD_PRELOAD cannot name. It is mapped and lasts until exec. NULL if there is no
 * memory.
 */
char *const *ahead_extend(char *const *envp, const char *profile, const char *object,
                          const char *id);

#endif
