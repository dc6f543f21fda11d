/*
 * walker.c: is there an object that walks call stacks, and what comes with it?
 */
#include "record/walker.h"

#include "cli/command.h"
#include "cli/table.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

struct files {
    char **paths;
    size_t count;
};

static int add_object(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    struct files *files = context;
    char *path = info->dlpi_name[0] == '/' ? realpath(info->dlpi_name, NULL) : NULL;
    if (path)
        *GROW(files->paths, files->count) = path;
    return 0;
}

static bool contains(const struct files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->paths[i], path) == 0)
            return true;
    return false;
}

char **find_walker(void)
{
    if (!COLDBOOST_STACKS)
        fail(EXIT_FAILED, "--stacks: this coldboost was built without libunwind; install "
                          "libunwind-dev and build it again");
    struct files before = {0}, after = {0}, result = {0};
    *GROW(result.paths, result.count) = find_component("libcoldboost-stacks.so");
    dl_iterate_phdr(add_object, &before);
    if (!dlopen(result.paths[0], RTLD_NOW | RTLD_LOCAL))
        fail(EXIT_FAILED, "--stacks: %s; install libunwind8", dlerror());
    dl_iterate_phdr(add_object, &after);
    for (size_t i = 0; i < after.count; i++) {
        if (contains(&before, after.paths[i]) || contains(&result, after.paths[i]))
            free(after.paths[i]);
        else
            *GROW(result.paths, result.count) = after.paths[i];
    }
    for (size_t i = 0; i < before.count; i++)
        free(before.paths[i]);
    free(before.paths);
    free(after.paths);
    *GROW(result.paths, result.count) = NULL;
    return result.paths;
}
