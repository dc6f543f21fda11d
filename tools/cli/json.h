/*
 * json.h: writes one JSON document (RFC 8259). Commas, nesting and escapes are its business alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json {
    FILE *stream;
    bool needs_comma;
};

/*
 * A value has the key of its object; in an array, and for the whole document, `key` is NULL. One
 * call may close several: "]}".
 */
void json_open(struct json *out, const char *key, char bracket);
void json_close(struct json *out, const char *brackets);

/*
 * Text in quotes, escaped; NULL comes out as null. Bytes that are not valid UTF-8 (a path may hold
 * any) come out as U+FFFD, so that the document stays valid.
 */
void json_text(struct json *out, const char *key, const char *text);
void json_texts(struct json *out, const char *key, char *const *texts, size_t count);
void json_decimals(struct json *out, const char *key, const double *numbers, size_t count);

/*
 * Keys and values in turn, a blank between each: "size %ju share %.2f". A value is what printf
 * makes of it; a number that is not finite comes out as null. json_object() makes an object of
 * them.
 */
void json_print(struct json *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void json_object(struct json *out, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins the next value, unless it is the first, on a line of its own. */
void json_break_line(struct json *out);

static inline const char *json_bool(bool value)
{
    return value ? "true" : "false";
}
