/*
 * json.h: text as a JSON string.
 */
#ifndef CB_JSON_H
#define CB_JSON_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints text in quotes, escaped. Bytes that are not valid UTF-8 (a path may hold any) come out as
 * U+FFFD, so that the document stays valid.
 */
void print_json_string(FILE *stream, const char *text);

/*
 * Bytes of the UTF-8 character at text, or 0 if it is none (RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF).
 */
size_t utf8_length(const char *text);

#endif
