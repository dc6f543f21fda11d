/*
 * search_path.c: one folder after another, as execvp() does it.
 */
#include "base/search_path.h"

#include "base/sys.h"
#include "base/text.h"

bool is_regular_file(const char *path)
{
    struct stat status;
    return sys_fstatat(AT_FDCWD, path, &status) == 0 && S_ISREG(status.st_mode);
}

bool is_executable_file(const char *path)
{
    return sys_may_execute(path) && is_regular_file(path); /* a folder may be "executed" too */
}

bool search_path(const char *folders, const char *name, bool (*accepts)(const char *path),
                 char *path, size_t capacity)
{
    for (const char *at = folders;; at++) {
        size_t length = 0;
        for (; *at && *at != ':'; at++)
            if (length + 1 < capacity)
                path[length++] = *at;
        length = text_append(path, capacity, length, length ? "/" : "./");
        length = text_append(path, capacity, length, name);
        /* What fills the buffer may have been cut. */
        if (length + 1 < capacity && accepts(path))
            return true;
        if (!*at)
            return false;
    }
}
