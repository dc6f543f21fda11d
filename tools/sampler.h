/*
 * sampler.h: watches the mapped pages of recorded processes from outside while they run, so that
 * their order is known, and what a killed process had touched.
 */
#ifndef CB_SAMPLER_H
#define CB_SAMPLER_H

#include "../preload/trace.h"

#include <sys/types.h>

struct sampler;

/*
 * Watches the process main_pid from its exec on, and every process that attaches to the trace, which
 * is known by the name of its mapping.
 */
struct sampler *sampler_new(struct trace_header *trace, const char *trace_mapping, pid_t main_pid);

/* Looks at every process once. Touched pages get the time of the look before. */
void sampler_look(struct sampler *sampler);

void sampler_free(struct sampler *sampler);

#endif
