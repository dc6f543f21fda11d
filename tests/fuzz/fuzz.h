/*
 * fuzz.h: what the harnesses share. Each is one C file with one function that takes any bytes; it
 * reads no file, writes none, and must neither crash nor see what it checks fail.
 *
 * Where the code under test asks the machine, a harness answers instead, out of its input: with
 * macros in front of an included source, or by not linking the file that would ask.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input: a fuzzer takes the abort for a finding. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What is left of an input. Taking more than there is yields zeros, and at the end nothing. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline void take(struct input *input, void *out, size_t bytes)
{
    size_t have = bytes < input->left ? bytes : input->left;
    memset(out, 0, bytes);
    if (have)
        memcpy(out, input->at, have);
    input->at += have;
    input->left -= have;
}

static inline uint64_t take_number(struct input *input, size_t bytes)
{
    uint64_t number = 0; /* little-endian, as all that the harnesses read */
    take(input, &number, bytes);
    return number;
}

/* A copy with nothing behind it that could be read by mistake; aligned, and to be freed. */
static inline uint8_t *take_copy(struct input *input, size_t bytes)
{
    bytes = bytes < input->left ? bytes : input->left;
    uint8_t *copy = malloc(bytes ? bytes : 1);
    MUST(copy);
    take(input, copy, bytes);
    return copy;
}

/* The text up to the next zero or the end of the input; to be freed. */
static inline char *take_text(struct input *input)
{
    size_t length = strnlen((const char *)input->at, input->left);
    char *text = malloc(length + 1);
    MUST(text);
    take(input, text, length);
    text[length] = '\0';
    take_number(input, 1);
    return text;
}

/* A number that depends on a text alone, for answers that are not always the same. */
static inline uint32_t hash_text(const char *text)
{
    uint32_t hash = 0x811c9dc5; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x01000193;
    return hash ^ hash >> 15;
}

/* What the sub-commands print goes nowhere, but through all of printf(). */
static inline void silence_stdout(void)
{
    static bool done;
    if (!done)
        MUST(freopen("/dev/null", "w", stdout));
    done = true;
}

/* As warn() of the tools, and as much work, but it says nothing. */
__attribute__((format(printf, 1, 2))) static inline void pretended_warn(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
}
