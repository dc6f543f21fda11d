/*
 * json.h: text as a JSON string.
 */
#ifndef CB_JSON_H
#define CB_JSON_H

#include <stdio.h>

/*
 * Prints text in quotes, escaped. Bytes that are not valid UTF-8 (a path may hold any) come out as
 * U+FFFD, so that the document stays valid.
 */
void print_json_string(FILE *stream, const char *text);

#endif
