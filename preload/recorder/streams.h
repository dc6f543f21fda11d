/*
 * streams.h: what programs read through stdio, stream by stream.
 */
#pragma once

#include <stdio.h>

/* The stream is open, and nothing has been read through it; returns it. NULL is nothing. */
FILE *record_stream(FILE *file);

/* It is about to be closed. */
void record_stream_end(FILE *file);

/* It is about to be sought in, and was. */
void record_before_jump(FILE *file);
void record_after_jump(FILE *file);

/* The standard input is open from the start. */
void record_standard_input(void);

/* What has been read through all open streams and not been noted yet. */
void record_open_streams(void);
