/*
 * line.c: see line.h. Not inline: a line has many parts, and few starts have a line.
 */
#include "base/line.h"

#include "base/text.h"

void line_text(struct line *line, const char *text)
{
    line->length = text_append(line->text, sizeof line->text, line->length, text);
}

void line_number(struct line *line, const char *label, uint64_t number)
{
    line_text(line, label);
    line->length = text_append_number(line->text, sizeof line->text, line->length, number);
}
