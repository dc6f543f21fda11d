/*
 * openmetrics.h: figures for Prometheus, to stdout.
 *
 * What is printed is OpenMetrics 1.0 and, for node_exporter's textfile collector, the older text
 * format of Prometheus too. They name counters differently: so there are only gauges and
 * histograms.
 */
#pragma once

#include <stddef.h>

/* Begins a family; its samples follow. `unit` is the end of the name, or "" if there is none. */
void openmetrics_family(const char *name, const char *type, const char *unit, const char *help);

/* Names and values of labels in turn. */
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A sample with such labels. `suffix` belongs to the name. */
void openmetrics_sample(const char *name, const char *suffix, const char *const *labels,
                        double value);

/* The samples of a histogram of sorted durations in ms, for a family in seconds. */
void openmetrics_histogram(const char *name, const char *program, const char *arm,
                           const double *sorted_ms, size_t count);

/* No more follows. */
void openmetrics_end(void);
