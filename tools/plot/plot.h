/*
 * plot.h: pictures, as SVG, for --plot.
 */
#pragma once

#include "measure/bench_result.h"
#include "measure/timeline.h"
#include "replay/profile.h"

/* Exits with a message if there could be no file at `path`: now and not after minutes of measuring.
 */
void plot_check(const char *path);

/*
 * They write the picture whole or not at all, and exit with a message on any error. In `timelines`,
 * a cold start and one with coldboost run; NULL without a profile.
 */
void plot_bench(const char *path, const struct bench_result *result, const struct profile *profile,
                const struct timeline *timelines);
void plot_profile(const char *path, const char *title, const struct profile *profile);
