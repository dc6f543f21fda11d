/*
 * outside.h: records from outside, with ptrace, what cannot be preloaded: static programs, and
 * those that make their system calls without libc.
 */
#pragma once

#include "trace/format.h"

/* Watches whoever has asked for it. */
void outside_serve(struct trace_header *trace, const char *trace_mapping);
