/*
 * sampler.h: watches the mapped pages of recorded processes from outside while they run, so that
 * their order is known, and what a killed process had touched.
 */
#pragma once

#include "trace/format.h"

#include <sys/types.h>

/* How fine the order of mapped pages is. */
enum { SAMPLER_EPOCH_US = 5000 };

struct sampler;

/*
 * Watches the process main_pid from its exec on, and every process that attaches to the trace,
 * which is known by the name of its mapping. before: the executable that main_pid has until then;
 * NULL: that of this process.
 */
struct sampler *sampler_new(struct trace_header *trace, const char *trace_mapping, pid_t main_pid,
                            const char *before);

/* Watches this process too, which is known to be recorded. */
void sampler_watch(struct sampler *sampler, pid_t pid);

/* The image that a watched process runs now, by its name in the trace; 0 if it is none. */
uint32_t sampler_image(struct sampler *sampler, pid_t pid);

/* Whether the process takes part in this recording, by its mappings. */
bool sampler_maps_trace(struct sampler *sampler, pid_t pid);

/* Looks at one watched process. */
void sampler_look_at(struct sampler *sampler, pid_t pid);

/* Looks at every process once. Touched pages get the time of the look before. */
void sampler_look(struct sampler *sampler);

/*
 * How long to wait until the next look, after one that took cost_ns. It takes 0.4 ms a process
 * (python3, java), and the tool no more than a quarter of a CPU.
 */
uint64_t sampler_pause_ns(uint64_t cost_ns);

void sampler_free(struct sampler *sampler);
