/*
 * launch.h: from a command line to a program with libcoldboost.so in front of it.
 */
#ifndef CB_LAUNCH_H
#define CB_LAUNCH_H

#include <stdbool.h>

struct program {
    char *path; /* what will be executed; the caller's to free */
    /* What /proc/self/exe will name: for a script, its interpreter or the shell. */
    char *executable;
    char *obstacle;           /* why it cannot be preloaded, or NULL */
    bool has_nameless_object; /* that is the obstacle: it could be, were we installed elsewhere */
};

/*
 * The file that execvp() would try for a command, the caller's to free, or NULL: perhaps it cannot
 * be executed.
 */
char *search_path(const char *command);

/* Why the loader would not preload anything into this open ELF file, or NULL. */
char *find_obstacle(int fd, const char *path);

/* Why no loader could be told to preload libcoldboost.so from where it is installed, or NULL. */
char *find_naming_obstacle(void);

/*
 * What the kernel will not find when it is to start the file at path, and what to do about it: the
 * interpreter of a script, or a loader. NULL if all is there; otherwise the caller's to free.
 */
char *find_missing_part(const char *path);

/*
 * Finds a command as execvp() would and looks at the program behind it. Exits with 127 or 126 and a
 * message if it cannot be started at all.
 */
struct program find_program(const char *command);

/*
 * The profile to use, as an absolute path and the caller's to free: the named one,
 * $COLDBOOST_PROFILE, or where environment_profile() finds one. NULL if none of them is set and
 * none is found (*path is NULL), or if there is nothing at *path (errno says why).
 */
char *look_for_profile(const char *named, const char **path);

/* The same, but exits with a message if there is nothing at the path. */
char *find_profile(const char *named);

/* Puts the object into this process's LD_PRELOAD, in front of what is there. */
void preload_object(const char *object);

/* The command line of /bin/sh for a script without "#!"; the caller's to free. */
char **shell_command(const struct program *program, char *const *argv);

/*
 * Replaces this process by the program, or by /bin/sh if that is a script without "#!", as execvp()
 * does. Returns an errno if the kernel refuses.
 */
int try_to_execute(const struct program *program, char **argv);

/* The same; exits with 126 or 127 and a message if the kernel refuses. */
_Noreturn void execute(const struct program *program, char **argv);

#endif
