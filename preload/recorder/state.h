/*
 * state.h: the recording that this process takes part in: its trace, its name there, and what has
 * been noted lately.
 */
#pragma once

#include "trace/format.h"
#include "trace/pages.h"

#include <stdbool.h>
#include <stdint.h>

/* Tells glibc, which has it, from musl. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* Takes part in the recording whose trace is at this path. False if there is none. */
bool record_join(const char *trace_path);

/* From now on nothing is recorded. */
void record_leave(void);

/* Whether it has joined and not left: asked where record_process() would begin too much. */
bool record_takes_part(void);

/* This process's name in the trace, which it gets by the first call; 0: nothing is to be recorded.
 */
uint32_t record_process(void);

/* Not NULL where record_process() is not 0; it stays mapped. */
struct trace_header *record_trace(void);

/* Adds a range of this process's. */
void record_range(uint32_t file, uint64_t first_page, uint64_t page_count, enum trace_how how);
/* The same of what was seen at this trace_now(). */
void record_range_at(uint64_t time_ns, uint32_t file, uint64_t first_page, uint64_t page_count,
                     enum trace_how how);

/* A program that reads byte by byte would fill the trace with one page. */
bool record_seen_lately(uint32_t file, uint64_t page);

/*
 * Whether this process is to look at its mapped pages now, because nobody watches it: after 8 ms,
 * and whenever the recording has become twice as long. Where record_process() is not 0.
 */
bool record_is_time_to_look(void);

/*
 * Whether to look at the mapped pages before an object is unloaded, when so many have been loaded
 * altogether: if it was asked before for as many, not sooner than 5 ms later. Where
 * record_process() is not 0.
 */
bool record_is_time_to_unload(uint32_t loaded);

/* Whether mappings must be MADV_RANDOM to keep readahead out. */
bool record_wants_random_mappings(void);

uint64_t record_page_bytes(void);

/* Scans this process. The caller says between which addresses (to 0: all), and the functions. */
void record_scan(struct page_scan *scan);

/* One scan that notes pages at a time: false if another does not end. */
bool record_begin_scan(void);
void record_end_scan(void);
