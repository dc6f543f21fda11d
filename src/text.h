/*
 * text.h: the little of <string.h> that code without libc needs.
 */
#ifndef CB_TEXT_H
#define CB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rest of `text` behind `prefix`, or NULL if it starts otherwise. */
static inline const char *text_after(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++)
            return NULL;
    return text;
}

static inline bool text_equal(const char *a, const char *b)
{
    const char *rest = text_after(a, b);
    return rest && !*rest;
}

static inline size_t text_length(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

/*
 * Appends to the string of length `at` in a buffer and returns the new length; what does not fit is
 * cut. The result is always terminated.
 */
static inline size_t text_append(char *buffer, size_t capacity, size_t at, const char *text)
{
    while (*text && at + 1 < capacity)
        buffer[at++] = *text++;
    buffer[at] = '\0';
    return at;
}

static inline size_t text_append_number(char *buffer, size_t capacity, size_t at, uint64_t number)
{
    char digits[21], *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return text_append(buffer, capacity, at, first);
}

static inline bool bytes_equal(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

#endif
