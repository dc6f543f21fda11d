/*
 * recorder.h: what the parts of libcoldboost-record.so share. Rules for all of them:
 *
 *  1. Never change what the program does, prints or returns; errno stays as the real call left it.
 *     It is not even looked at: a child may run on a thread pointer that leads nowhere (Chromium's
 *     sandbox helper does), and there libc can set errno, but nobody can ask where it is.
 *  2. System calls only (sys.h), and the next definition of the call that is being observed. No
 *     malloc, no stdio, no thread, no thread-local variable: all of this must work in a signal
 *     handler, between vfork and exec, and before libc is ready.
 *  3. Hold no lock across fork and no descriptor between calls.
 *  4. Touch nothing that would be charged to the program where it can be avoided.
 */
#ifndef CB_RECORD_H
#define CB_RECORD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_API __attribute__((visibility("default")))

extern int *__errno_location(void) __attribute__((weak));
extern char **environ __attribute__((weak));

/* Takes part in the recording as a process of its own: after fork. */
void record_attach_child(void);

/* The program read bytes (> 0) from fd, the first at this offset; record_read_here(): those that
   end at the descriptor's position. bytes <= 0 is nothing. */
void record_read(int fd, int64_t offset, int64_t bytes);
void record_read_here(int fd, int64_t bytes);

/* The program listed the directory. */
void record_listed(int fd);

/* libc itself looked this path up, and read all of it if it is a file. */
void record_whole_file(const char *path);

/*
 * The program looked a path up, relative to a directory's descriptor or AT_FDCWD. To be called
 * behind the real call; if that `failed`, the kernel is asked whether it was for the pointer, which
 * is then not looked at.
 */
void record_lookup(int directory, const char *path, bool failed);
bool record_may_look_at(int directory, const char *path);

/* Notes the touched pages of the mappings between these addresses. */
void record_pages(uintptr_t from, uintptr_t to);

/* Whether somebody waits for the request for a first Lambda invocation; that it was sent. */
bool record_wants_ready(void);
void record_ready(void);

/* This thread is about to execute the program: has it watched from outside if it must be. */
void record_hand_over(const char *path);

/* The last chance to look: this process image is about to end. */
void record_end(void);

/* The same, and nothing that this process does later is noted, nor any system call made for it. */
void record_stop(void);

/* Whether mappings must be MADV_RANDOM to keep readahead out. */
bool record_wants_random_mappings(void);

uint64_t record_page_bytes(void);

/* What has been read through stdio and not been noted yet. */
void record_open_streams(void);
void record_standard_input(void);

/*
 * An environment which carries the recording on into another program. Returns 0 if the given one
 * does, otherwise the number of bytes that record_environment() needs to make one.
 */
size_t record_environment_bytes(char *const *given);
char **record_environment(char *const *given, void *room);
void record_remember_environment(char *const *given, const char **trace_path);

/* This process's name in the trace; 0: nothing is to be recorded. */
uint32_t record_process(void);

/* The program has the file behind fd in use from now on: opened for reading, or mapped. */
void record_met(int fd);

/*
 * Call stacks, where they are wanted: record_stack() takes this thread's if the file has none yet,
 * record_loaded() gives what has been loaded since the last dlopen the stack of that.
 */
struct trace_header;
void record_stacks_begin(struct trace_header *trace);
void record_stacks_child(void);
bool record_wants_stacks(void);
void record_stack(uint32_t file);
void record_loaded(void);

/*
 * The next definition of a function behind ours, NULL if there is none. Looking for it takes the
 * loader's lock and thread-local data, which not every caller has: record_find_next() finds all of
 * them when the object is loaded, and only what comes later with dlopen() is left to the first
 * call.
 */
struct record_next {
    const char *name;
    void *_Atomic function;
};
void record_find_next(void);
void *record_next(struct record_next *of);

/* Ends a wrapped call that there is no next definition of, or that ended with -errno. */
static inline long record_result(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    if (__errno_location)
        *__errno_location() = (int)-result;
    return -1;
}

/*
 * Declares `next`, the definition behind the wrapper NAME, as a pointer to its type; with
 * RECORD_NEXT_IF_KNOWN() it is NULL before record_find_next().
 */
#define RECORD_NEXT(name)                                                                          \
    RECORD_ENTRY(name);                                                                            \
    __typeof__(name) *next = (__typeof__(name) *)(uintptr_t)record_next(&next_entry)
#define RECORD_NEXT_IF_KNOWN(name)                                                                 \
    RECORD_ENTRY(name);                                                                            \
    __typeof__(name) *next = (__typeof__(name) *)(uintptr_t)next_entry.function
#define RECORD_ENTRY(of)                                                                           \
    static struct record_next next_entry                                                           \
        __attribute__((section("record_next_entries"), used)) = {#of, NULL}

#endif
