/*
 * line.h: composes one line of text without libc.
 */
#pragma once

#include "base/text.h"

struct line {
    size_t length;
    char text[2048]; /* what does not fit is cut; less than a pipe takes at once */
};

void line_text(struct line *line, const char *text);
void line_number(struct line *line, const char *label, uint64_t number);
