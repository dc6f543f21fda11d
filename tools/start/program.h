/*
 * program.h: the one probe of a program. What does a command start, and what stands in the way of
 * starting it, or of a loader that is to preload libcoldboost.so into it?
 *
 * Without libc, because the wrapper and the front have none: no output, no errno, nothing
 * allocated, nothing left open. obstacle.h puts what is found here into words.
 */
#pragma once

#include "base/executable.h"

#include <stdint.h>

#define PROGRAM_PATH_BYTES 4096

enum obstacle {
    OBSTACLE_NONE,
    /* The kernel will not start it. */
    OBSTACLE_NOT_FOUND,
    OBSTACLE_NOT_EXECUTABLE,
    OBSTACLE_FOLDER,
    OBSTACLE_NO_INTERPRETER,
    OBSTACLE_CARRIAGE_RETURN, /* which belongs to the interpreter's name, and makes that missing */
    OBSTACLE_TOO_DEEP,        /* too many interpreters are scripts themselves */
    OBSTACLE_NO_LOADER,
    /* It may well start, but nothing can be preloaded into it. */
    OBSTACLE_UNREADABLE,
    OBSTACLE_NO_PROC,
    OBSTACLE_NO_PROGRAM, /* neither an ELF file nor a script */
    OBSTACLE_CLASS,
    OBSTACLE_TRUNCATED,
    OBSTACLE_MACHINE,
    OBSTACLE_SET_ID,
    OBSTACLE_CAPABILITIES,
    OBSTACLE_STATIC,
    OBSTACLE_PLACE, /* LD_PRELOAD cannot name the folder that coldboost is installed in */
};

/* Whether it cannot be started at all. */
static inline bool obstacle_is_final(enum obstacle obstacle)
{
    return obstacle >= OBSTACLE_NOT_FOUND && obstacle <= OBSTACLE_NO_LOADER;
}

struct program {
    enum obstacle obstacle;
    int error;    /* the errno of OBSTACLE_UNREADABLE */
    bool is_text; /* without "#!": the shell executes it, and is the last interpreter */
    /* As each script names the next one; the last of them is the program. */
    size_t interpreter_count;
    char interpreters[EXECUTABLE_MAX_INTERPRETERS + 1][EXECUTABLE_LINE_BYTES + 1];
    char argument[EXECUTABLE_LINE_BYTES + 1]; /* that the last script gives to its interpreter */
    /* Of the ELF file that runs, where it got so far. */
    uint16_t machine;
    bool set_uid, set_gid; /* also if the owner runs it, who gains nothing by that */
    uint32_t owner, group;
    uint64_t capabilities;               /* permitted */
    char path[PROGRAM_PATH_BYTES];       /* what will be executed */
    char executable[PROGRAM_PATH_BYTES]; /* what /proc/self/exe will name then */
    char loader[PROGRAM_PATH_BYTES];     /* PT_INTERP, or "" */
};

/*
 * Finds a command as execvp() would. Returns whether there is one that may be executed; otherwise
 * the obstacle says why not. The path is that of a file which may not be executed if PATH has no
 * other, and the command itself where there is none.
 */
bool program_search(const char *command, char *const *envp, struct program *out);

/* Follows the file at program->path to the ELF file that will run, and looks at that. */
void program_probe(struct program *program);

/* The script that a probed program is the interpreter of, without symbolic links; or NULL. */
const char *program_script(const struct program *program, char buffer[PROGRAM_PATH_BYTES]);
