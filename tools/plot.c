/*
 * plot.c: finds and loads the module that draws.
 */
#include "plot.h"

#include "command.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE "coldboost-plot.so"

static void check_writable(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        fail(EXIT_FAILED, "%s: not a regular file; name another one for the plot", path);
    char *copy = xstrdup(path);
    const char *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) != 0)
        fail(EXIT_FAILED, "%s: cannot write into %s: %s", path, folder, strerror(errno));
    free(copy);
}

struct plotter plotter_load(const char *path)
{
    char *module = look_for_component(MODULE);
    if (!module)
        fail(EXIT_FAILED,
             "%s: this coldboost was built without plots; install cairo's headers (Debian: "
             "libcairo2-dev), build and install it again",
             path);
    check_writable(path);
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
