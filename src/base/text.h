/*
 * text.h: the little of <string.h> that code without libc needs.
 */
#pragma once

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

static inline bool text_contains(const char *text, const char *part)
{
    for (; *text; text++)
        if (text_after(text, part))
            return true;
    return false;
}

static inline size_t text_length(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    return n;
}

/* How many texts a list has that NULL ends, as arguments and environments. */
static inline size_t text_count(char *const *texts)
{
    size_t n = 0;
    while (texts[n])
        n++;
    return n;
}

/* What stands behind the last slash of a path, but for one at its end. */
static inline const char *text_last_part(const char *path)
{
    const char *part = path;
    for (; *path; path++)
        if (path[0] == '/' && path[1])
            part = path + 1;
    return part;
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

/* The digits of a number, at the end of a buffer for the longest. */
#define TEXT_DIGITS 21
static inline const char *text_digits(char buffer[TEXT_DIGITS], uint64_t number)
{
    char *first = buffer + TEXT_DIGITS - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return first;
}

static inline size_t text_append_number(char *buffer, size_t capacity, size_t at, uint64_t number)
{
    char digits[TEXT_DIGITS];
    return text_append(buffer, capacity, at, text_digits(digits, number));
}

/* In 16 hexadecimal digits. */
static inline size_t text_append_hash(char *buffer, size_t capacity, size_t at, uint64_t hash)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        const char digit[] = {"0123456789abcdef"[hash >> shift & 15], '\0'};
        at = text_append(buffer, capacity, at, digit);
    }
    return at;
}

/* Makes and returns the name of a descriptor in /proc. */
#define TEXT_DESCRIPTOR_LINK 32
static inline const char *text_descriptor_link(char link[TEXT_DESCRIPTOR_LINK], int fd)
{
    size_t at = text_append(link, TEXT_DESCRIPTOR_LINK, 0, "/proc/self/fd/");
    text_append_number(link, TEXT_DESCRIPTOR_LINK, at, (uint64_t)fd);
    return link;
}

/* The decimal number at the beginning of the text; returns what stands behind it, or NULL if there
 * is no digit or more than 64 bits. */
static inline const char *text_number(const char *text, uint64_t *number)
{
    *number = 0;
    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*text - '0'), number))
            return NULL;
    return text;
}

/* Whether the text is a decimal number from `least` to `most`, and nothing else. */
static inline bool text_is_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    const char *end = text_number(text, number);
    return end && !*end && *number >= least && *number <= most;
}

/*
 * Bytes of the UTF-8 character at text, or 0 if it is none (RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF).
 */
static inline size_t text_utf8_length(const char *bytes)
{
    const unsigned char *text = (const unsigned char *)bytes;
    if (text[0] < 0x80)
        return 1;
    unsigned first = text[0], second = text[1];
    unsigned low = 0x80, high = 0xbf;
    size_t length;
    if (first >= 0xc2 && first <= 0xdf)
        length = 2;
    else if (first >= 0xe0 && first <= 0xef)
        length = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        length = 4;
    else
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static inline bool bytes_equal(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return false;
    return true;
}
