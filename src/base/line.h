/*
 * line.h: composes one line of text without libc.
 */
#ifndef CB_REPORT_H
#define CB_REPORT_H

#include "base/text.h"

struct report {
    size_t length;
    char text[2048]; /* what does not fit is cut; less than a pipe takes at once */
};

static inline void report_text(struct report *report, const char *text)
{
    while (*text && report->length < sizeof report->text)
        report->text[report->length++] = *text++;
}

static inline void report_number(struct report *report, const char *label, uint64_t number)
{
    char digits[TEXT_DIGITS];
    report_text(report, label);
    report_text(report, text_digits(digits, number));
}

#endif
