/*
 * next.h: what every wrapped call needs: the definition behind it, and an end where there is none.
 */
#pragma once

#include <errno.h>
#include <stdint.h>

#define RECORD_API __attribute__((visibility("default")))

extern int *__errno_location(void) __attribute__((weak));

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
