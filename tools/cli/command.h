/*
 * command.h: what the sub-commands of the coldboost tool share.
 *
 * Only tools/ may print an error and exit; what it says names the file and the remedy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes; `run` otherwise ends as its program does. */
enum {
    EXIT_FAILED = 1,           /* the work could not be done */
    EXIT_USAGE = 2,            /* the command line is wrong */
    EXIT_CANNOT_EXECUTE = 126, /* found, but it cannot be executed: as env(1) and nohup(1) */
    EXIT_NOT_FOUND = 127,
};

/* A sub-command: argv[0] is its own name. Returns the exit code. */
int command_forget(int argc, char **argv);
int command_link(int argc, char **argv);
int command_unlink(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_merge(int argc, char **argv);
int command_prepare(int argc, char **argv);
int command_record(int argc, char **argv);
int command_report(int argc, char **argv);
int command_run(int argc, char **argv);
int command_show(int argc, char **argv);
int command_status(int argc, char **argv);
int command_watch(int argc, char **argv);

/* "coldboost: …" to stderr, with a newline. fail() exits with the given code. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Text from elsewhere, such as a path, in a form that steers no terminal and stays on its line:
 * what is no printable UTF-8 comes out as \n or \x1b, and a backslash as two. The messages above
 * are escaped as a whole. escape() returns a copy, the caller's to free.
 */
char *escape(const char *text);
void print_escaped(FILE *stream, const char *text);

/* A line to stdout, escaped as a whole. */
void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number of bytes for people: "17 KiB". */
struct size_text {
    char text[24];
};
struct size_text size_text(uint64_t bytes);

/* At most 64 bytes as hexadecimal digits. */
struct hex_text {
    char text[2 * 64 + 1];
};
struct hex_text hex_text(const uint8_t *bytes, size_t size);

/* On the clock that nobody sets (CLOCK_MONOTONIC). */
double now_ms(void);

/* Exits with a message if anything that was printed to stdout could not be written. */
void finish_output(void);

/* Prints the help text to stdout and exits with 0. */
_Noreturn void print_help(const char *help);

/* Exits with EXIT_USAGE: "coldboost COMMAND: …" and where to read on. */
_Noreturn void fail_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same after getopt_long() has said what is wrong. */
_Noreturn void fail_usage_hint(const char *command);

/*
 * getopt_long() for a sub-command: prints the help text for 'h' and exits, and exits with
 * EXIT_USAGE where it is wrong. Returns -1 behind the last option.
 */
struct option;
int next_option(int argc, char **argv, const char *letters, const struct option *options,
                const char *help);

/* As malloc and friends, but exit with a message when memory is out. */
void *xmalloc(size_t bytes);
void *xrealloc(void *memory, size_t bytes);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/*
 * Finds the file NAME of this installation: in the running tool's build tree or in the library
 * folder that it was installed with. If it is in neither, look_for_component() returns NULL and
 * find_component() exits with a message. The result is the caller's to free.
 */
char *look_for_component(const char *name);
char *find_component(const char *name);

/* Opens what may have become anything since it was recorded: follows no link, waits for nobody. */
int open_recorded(const char *path);

/* The same without readahead: what nobody has asked for would stay in memory, and the next cold
 * start be taken for a warm one. */
int open_recorded_pages(const char *path);

/* Reads a whole file; exits with a message on any error. *size is in bytes. */
uint8_t *read_file(const char *path, size_t max_bytes, size_t *size);

/* The same for whatever can be read to its end: a pipe, or standard input for "-". */
uint8_t *read_stream(const char *path, size_t max_bytes, size_t *size);

/*
 * The same for what need not be there, such as a file of /proc or another program's: with a zero
 * behind it. NULL with errno if it cannot be read, or has more than 64 MiB.
 */
char *read_text(const char *path, size_t *size);

/*
 * Writes all bytes to the descriptor, which somebody may have made non-blocking. Returns 0, or
 * -errno when a part is written at most.
 */
int write_all(int fd, const void *bytes, size_t size);

/* Writes a setting of the kernel, which is there already. False if that fails. */
bool write_setting(const char *path, const char *text);
