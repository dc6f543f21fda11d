/*
 * loader.c: loads plugins and calls them, as its arguments say, in order:
 *
 *   local=PATH global=PATH deep=PATH   dlopen(); it becomes the current plugin
 *   close                              dlclose() of the current plugin; then the one before it
 *   storm=PATH                         four threads call use() of the current plugin while PATH is
 *                                      loaded and unloaded; prints every result that differs
 *   NAME                               calls NAME of the current plugin, prints the result
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0 /* musl has none */
#endif

enum { MAX_PLUGINS = 16, CALLERS = 4, CALLS = 3000, LOADS = 100 };

typedef unsigned long plugin_function(void);

static void *plugins[MAX_PLUGINS];
static int count;

static void *must(void *result)
{
    if (result)
        return result;
    printf("%s\n", dlerror());
    exit(1);
}

static plugin_function *look_up(const char *name)
{
    void *address = must(dlsym(plugins[count - 1], name));
    plugin_function *function;
    memcpy(&function, &address, sizeof function);
    return function;
}

static void *call_often(void *argument)
{
    static char differs[] = "differs";
    plugin_function *function = *(plugin_function **)argument;
    unsigned long first = function();
    for (int i = 0; i < CALLS; i++)
        if (function() != first)
            return differs;
    return NULL;
}

static void storm(const char *path)
{
    plugin_function *use = look_up("use");
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        if (pthread_create(&threads[i], NULL, call_often, &use) != 0)
            exit(1);
    for (int i = 0; i < LOADS; i++)
        dlclose(must(dlopen(path, RTLD_NOW | RTLD_LOCAL)));
    for (int i = 0; i < CALLERS; i++) {
        void *verdict;
        pthread_join(threads[i], &verdict);
        printf("storm %s\n", verdict ? (const char *)verdict : "passed");
    }
}

/* Calls the other of the two names, as a program that looks for it at run time would. */
static void call_crc32_z(void)
{
    void *address = dlsym(RTLD_DEFAULT, "crc32_z");
    unsigned long (*function)(unsigned long, const unsigned char *, size_t);
    memcpy(&function, &address, sizeof function);
    if (function)
        function(0, (const unsigned char *)"123456789", 9);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *prefix;
        int flags;
    } openers[] = {{"local=", RTLD_NOW | RTLD_LOCAL},
                   {"global=", RTLD_NOW | RTLD_GLOBAL},
                   {"deep=", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND}};
    for (int i = 1; i < argc; i++) {
        const char *path = NULL;
        for (size_t o = 0; o < sizeof openers / sizeof *openers && !path; o++) {
            size_t length = strlen(openers[o].prefix);
            if (strncmp(argv[i], openers[o].prefix, length) == 0) {
                path = argv[i] + length;
                plugins[count++] = must(dlopen(path, openers[o].flags));
            }
        }
        if (path)
            continue;
        if (strcmp(argv[i], "close") == 0)
            dlclose(plugins[--count]);
        else if (strncmp(argv[i], "storm=", 6) == 0)
            storm(argv[i] + 6);
        else if (strcmp(argv[i], "crc32_z") == 0)
            call_crc32_z();
        else
            printf("%s %lu\n", argv[i], look_up(argv[i])());
    }
    return 0;
}
