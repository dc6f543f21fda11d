/*
 * tool.h: coldboost-tool in a process of its own, where this one is to become a program. It is none
 * of the program's: it has no terminal, none of its descriptors, and libraries of its own. Where it
 * cannot even be loaded, as with an older libc, only the recording is lost. Without libc.
 */
#pragma once

/* The words, behind "coldboost", and those of the command; they last until exec. NULL if there is
 * no memory. */
char **tool_arguments(char *const *words, char *const *command);

/* For a child of ours: becomes the tool, with this descriptor, or -1, and no other. Returns if that
 * fails. */
void tool_become(const char *tool, char **arguments, char *const *envp, int kept);

/* Runs the tool in a child, and waits for it. Returns its exit status, or -1 if it has none. */
int tool_run(const char *tool, char **arguments, char *const *envp);

/*
 * "coldboost prepare HOW EXECUTABLE ARGV0…": what takes libc before its parent becomes a program
 * that may be recorded. HOW has the letter 'a' if nobody watches the program, and 'n' if it is to
 * be recorded now, due or not. The exit status, of no other bits:
 */
#define TOOL_PREPARE "prepare"
enum {
    PREPARED_NOTHING = 1,   /* it is not to be recorded */
    PREPARED_BY_READING = 8 /* files of programs, to know that: what is in memory says nothing */
};
