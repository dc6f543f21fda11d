/*
 * ready_request.h: the request with which a Lambda runtime asks for an invocation.
 */
#pragma once

#include "base/text.h"

enum { READY_LOOK_BYTES = 256 }; /* so much of what is sent is looked at */

/* "GET /2018-06-01/runtime/invocation/next HTTP/1.1": the version may change, the rest does not. */
static inline bool is_ready_request(const char *text, size_t size)
{
    static const char verb[] = "GET /", path[] = "/runtime/invocation/next";
    if (size < sizeof verb + sizeof path || !bytes_equal(text, verb, sizeof verb - 1))
        return false;
    size_t last = (size < READY_LOOK_BYTES ? size : READY_LOOK_BYTES) - (sizeof path - 1);
    for (size_t i = 0; i <= last && text[i] != '\r'; i++)
        if (bytes_equal(text + i, path, sizeof path - 1))
            return true;
    return false;
}
