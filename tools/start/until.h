/*
 * until.h: what a start is waited for, by the words of --until.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum until_kind {
    UNTIL_EXIT,
    UNTIL_READY,  /* it asks the Lambda runtime interface for its first invocation */
    UNTIL_LISTEN, /* some process of it calls listen(2) */
    UNTIL_SECONDS,
    UNTIL_PORT, /* a connection to it succeeds */
    UNTIL_LINE, /* a text is on its output */
};

struct until {
    enum until_kind kind;
    uint64_t ns;
    uint16_t port;
    const char *text;
};

/* exit, ready, listen, port=N, line=TEXT or a number of seconds; false for anything else. The text
 * is not copied. */
bool until_parse(const char *words, struct until *out);

/* Whether somebody answers at this TCP port of 127.0.0.1, or of ::1. Does not wait. */
bool until_port_answers(uint16_t port);
