/*
 * launch.c: which profile, and how the loader learns of the object.
 */
#include "start/launch.h"

#include "cli/command.h"
#include "start/request.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *look_for_profile(const char *named, const char **path)
{
    static char standard[REQUEST_PATH_BYTES];
    struct options options;
    options_read(environ, &options);
    *path = find_profile_path(named, &options, environ, standard);
    return *path ? realpath(*path, NULL) : NULL;
}

char *find_profile(const char *named)
{
    const char *path;
    char *absolute = look_for_profile(named, &path);
    if (path && !absolute)
        fail(EXIT_FAILED, "%s: %s; 'coldboost record' makes a profile", path, strerror(errno));
    return absolute;
}

void preload_object(const char *object)
{
    const char *others = getenv("LD_PRELOAD");
    char *value = others && *others ? xasprintf("%s:%s", object, others) : xstrdup(object);
    if (setenv("LD_PRELOAD", value, 1) != 0)
        fail(EXIT_FAILED, "out of memory");
    free(value);
}
