/*
 * installation.c: the places of an installation and of a build tree.
 */
#include "cli/installation.h"

#include "base/sys.h"
#include "base/text.h"

#include <stddef.h>

#define MAX_LINKS 8

/* Where the symbolic links of the last part of a path lead; the length of that. */
static long follow(const char *path, char end[INSTALLATION_PATH_BYTES])
{
    char link[INSTALLATION_PATH_BYTES];
    size_t length = text_append(end, INSTALLATION_PATH_BYTES, 0, path);
    for (int depth = 0; depth < MAX_LINKS; depth++) {
        long n = sys_readlink(end, link, sizeof link - 1);
        if (n <= 0)
            break;
        link[n] = '\0';
        while (*link == '/' ? length > 0 : length > 0 && end[length - 1] != '/')
            length--;
        length = text_append(end, INSTALLATION_PATH_BYTES, length, link);
    }
    return (long)length;
}

/* The length of this program's folder, which is put into path: 0 for the root; or -errno. */
static long own_folder(const char *called, char path[INSTALLATION_PATH_BYTES])
{
    long length = sys_readlink("/proc/self/exe", path, INSTALLATION_PATH_BYTES - 1);
    if (length < 0 && called)
        length = follow(called, path);
    while (length > 0 && path[--length] != '/') {
    }
    return length;
}

static bool find_in(const char *const *places, size_t count, const char *called, const char *name,
                    char path[INSTALLATION_PATH_BYTES])
{
    struct sys_status status;
    long folder = own_folder(called, path);
    path[folder > 0 ? folder : 0] = '\0';
    for (size_t i = 0; folder >= 0 && i < count; i++) {
        size_t length = text_append(path, INSTALLATION_PATH_BYTES, (size_t)folder, places[i]);
        length = text_append(path, INSTALLATION_PATH_BYTES, length, "/");
        text_append(path, INSTALLATION_PATH_BYTES, length, name);
        if (sys_stat(AT_FDCWD, path, &status) == 0)
            return true;
    }
    return false;
}

bool installation_find(const char *called, const char *name, char path[INSTALLATION_PATH_BYTES])
{
    static const char *const places[] = {""};
    return find_in(places, 1, called, name, path);
}

bool installation_find_object(const char *called, const char *name,
                              char path[INSTALLATION_PATH_BYTES])
{
    static const char *const places[] = {("/../" COLDBOOST_LIBDIR), "", "/../preload"};
    return find_in(places, sizeof places / sizeof *places, called, name, path);
}
