/*
 * plot.h: pictures, as SVG. Drawing takes cairo, which `coldboost run` must not wait for: it lives
 * in a module of its own, loaded when a picture is asked for.
 */
#ifndef CB_PLOT_H
#define CB_PLOT_H

#include "measure/bench_result.h"
#include "profile/timeline.h"
#include "replay/profile.h"

/*
 * The module's two functions. They write the picture whole or not at all, and exit with a message
 * on any error. In `timelines`, a cold start and one with coldboost run; NULL without a profile.
 */
void plot_bench(const char *path, const struct bench_result *result, const struct profile *profile,
                const struct timeline *timelines);
void plot_profile(const char *path, const char *title, const struct profile *profile);

struct plotter {
    void (*bench)(const char *path, const struct bench_result *result,
                  const struct profile *profile, const struct timeline *timelines);
    void (*profile)(const char *path, const char *title, const struct profile *profile);
};

/*
 * Loads the module. Exits with a message if that fails, or if there could be no file at `path`: now
 * and not after minutes of measuring.
 */
struct plotter plotter_load(const char *path);

#endif
