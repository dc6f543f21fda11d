/*
 * plot.c: finds and loads the module that draws.
 */
#include "plot/plot.h"

#include "cli/command.h"
#include "cli/output.h"

#include <dlfcn.h>
#include <stdlib.h>

#define MODULE "coldboost-plot.so"

struct plotter plotter_load(const char *path)
{
    char *module = look_for_component(MODULE);
    if (!module)
        fail(EXIT_FAILED,
             "%s: this coldboost was built without plots; install cairo's headers (Debian: "
             "libcairo2-dev), build and install it again",
             path);
    if (output_is_standard(path))
        fail(EXIT_USAGE, "--plot %s: the report goes to standard output; name a file", path);
    output_check(path);
    void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail(EXIT_FAILED, "%s: cannot load %s: %s; install cairo (Debian: libcairo2)", path, module,
             dlerror());
    struct plotter plotter;
    *(void **)&plotter.bench = dlsym(handle, "plot_bench");
    *(void **)&plotter.profile = dlsym(handle, "plot_profile");
    if (!plotter.bench || !plotter.profile)
        fail(EXIT_FAILED, "%s: %s is of another version; install coldboost again", path, module);
    free(module);
    return plotter;
}
