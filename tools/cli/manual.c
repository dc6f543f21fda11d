/*
 * manual.c: opens a page of the manual. It prints nothing itself: whoever calls it knows what to
 * say where there is no page.
 */
#include "cli/manual.h"

#include "cli/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct page {
    const char *topic, *name;
    unsigned section;
} topics[] = {
    {"wrapper", "coldboost-wrapper", 1},     {"lambda", "coldboost-lambda", 7},
    {"security", "coldboost-security", 7},   {"profile", "coldboost-profile", 5},
    {"telemetry", "coldboost-telemetry", 5}, {"libcoldboost", "libcoldboost", 3},
};

static const struct page *find_topic(const char *topic)
{
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (strcmp(topics[i].topic, topic) == 0)
            return &topics[i];
    return NULL;
}

/* The page's file, which a distribution may have compressed; NULL if there is none. */
static char *find_page(const char *name, unsigned section)
{
    char *const places[] = {
        xasprintf("man/%s.%u", name, section),
        xasprintf("../" COLDBOOST_MANDIR "/man%u/%s.%u", section, name, section),
        xasprintf("../" COLDBOOST_MANDIR "/man%u/%s.%u.gz", section, name, section),
    };
    char *found = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        found = found ? found : look_for_component(places[i]);
        free(places[i]);
    }
    return found;
}

bool manual_has_topic(const char *topic)
{
    return find_topic(topic) != NULL;
}

void manual_open(const char *topic)
{
    const struct page *page = find_topic(topic);
    char *name = page ? xstrdup(page->name) : xasprintf("coldboost-%s", topic);
    char *path = find_page(name, page ? page->section : 1);
    if (path)
        execlp("man", "man", "-l", path, (char *)NULL);
    free(path);
    free(name);
}
