/*
 * budget.c: a replay must not push out what it has just brought in, nor what others need.
 *
 * The page cache is charged to the control group that first touches a page, so the group's limit
 * counts as well as the machine's memory. Whatever cannot be read does not limit.
 */
#include "replay/budget.h"

#include "base/sys.h"
#include "base/text.h"

#include <sys/sysinfo.h>

#define TEXT_BYTES 2048

static void lower(uint64_t *limit, uint64_t bytes)
{
    if (bytes && bytes < *limit)
        *limit = bytes;
}

/* What stands behind `prefix` at the start of a line, or NULL. */
static const char *find_line(const char *text, const char *prefix)
{
    while (*text) {
        const char *rest = text_after(text, prefix);
        if (rest)
            return rest;
        while (*text && *text++ != '\n') {
        }
    }
    return NULL;
}

/* A decimal number behind blanks; 0 for anything else, as "max". */
static uint64_t number(const char *text)
{
    uint64_t value;
    while (*text == ' ')
        text++;
    return text_number(text, &value) ? value : 0;
}

/* The number in ROOT + the rest of the line at `group` + NAME. */
static uint64_t group_limit(const char *root, const char *group, const char *name)
{
    char path[TEXT_BYTES], text[TEXT_BYTES];
    size_t at = 0;
    const char *const parts[] = {root, group, name};
    for (size_t i = 0; i < 3; i++)
        for (const char *c = parts[i]; *c && *c != '\n'; c++) {
            if (at == sizeof path - 1)
                return 0;
            path[at++] = *c;
        }
    path[at] = '\0';
    sys_read_text(path, text, sizeof text);
    return number(text);
}

/* The path on the line "N:memory:/path" of /proc/self/cgroup, N being any number; or NULL. */
static const char *find_v1_group(const char *text)
{
    while (*text) {
        while (*text >= '0' && *text <= '9')
            text++;
        const char *path = text_after(text, ":memory:");
        if (path)
            return path;
        while (*text && *text++ != '\n') {
        }
    }
    return NULL;
}

uint64_t budget_by_memory(uint64_t granted_bytes)
{
    char text[TEXT_BYTES];
    uint64_t limit = UINT64_MAX;
    lower(&limit, granted_bytes);
    struct sysinfo info = {.totalram = 0};
    sys_sysinfo(&info);
    lower(&limit, (uint64_t)info.totalram * info.mem_unit);

    sys_read_text("/proc/meminfo", text, sizeof text);
    const char *available = find_line(text, "MemAvailable:");
    lower(&limit, available ? number(available) << 10 : 0);

    sys_read_text("/proc/self/cgroup", text, sizeof text);
    const char *v1 = find_v1_group(text), *v2 = find_line(text, "0::");
    if (v1) {
        lower(&limit, group_limit("/sys/fs/cgroup/memory", v1, "/memory.limit_in_bytes"));
    } else if (v2) {
        lower(&limit, group_limit("/sys/fs/cgroup", v2, "/memory.max"));
        /* Inside a container the group's own files are at the root. */
        lower(&limit, group_limit("/sys/fs/cgroup", "", "/memory.max"));
    }
    return limit / 2;
}
