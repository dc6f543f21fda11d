/*
 * store_traces.c: see store_traces.h. Nothing in a trace is trusted: it is read into memory first,
 * and what makes a profile of it may fall, and leaves the start that waits for it alone.
 */
#include "store/store_traces.h"

#include "cli/command.h"
#include "cli/table.h"
#include "profile/identity.h"
#include "record/alone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX      STORE_TRACE
#define MOST_TRACES 4
/* Whoever has not written for so long is not recorded any more: a recording takes no longer. */
#define IDLE_S 10
/* So long one waits for a start in its own container, whose files are others than ours. */
#define ELSEWHERE_S 86400

/* What stands in a trace, for whoever makes the profile of it. */
struct kept_start {
    struct profile_file executable; /* its identity, where the trace may be taken */
    char path[STORE_PATH_BYTES];    /* of the executable */
    char general[STORE_NAME_BYTES];
    struct store_state state; /* before the recording, but checked_ns: its beginning */
};

/* Seconds since it was last written; a clock that was set back makes it old. */
static uint64_t idle_s(int folder, const char *file)
{
    struct stat status;
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    return (uint64_t)(time(NULL) - status.st_ctim.tv_sec);
}

static bool is_good(const struct kept_start *start)
{
    return !start->path[sizeof start->path - 1] && !start->general[sizeof start->general - 1] &&
           !strchr(start->general, '/') && store_state_is_good(&start->state, sizeof start->state);
}

/* NULL if the trace, which may be NULL, says nothing good of its start. */
static const struct kept_start *find_start(const uint8_t *trace, size_t size)
{
    const struct kept_start *start = trace ? record_note(trace, size, sizeof *start) : NULL;
    return start && is_good(start) ? start : NULL;
}

static void make_profile(int folder, const char *name, const struct kept_start *start,
                         uint8_t *trace, store_keeper *keep)
{
    static struct store_entry entry;
    const struct timespec since = {.tv_sec = (time_t)(start->state.checked_ns / 1000000000),
                                   .tv_nsec = (long)(start->state.checked_ns % 1000000000)};
    uint8_t *profile;
    size_t size;
    entry.log.state = start->state;
    entry.executable_hash = start->state.executable_hash;
    entry.start_hash = start->state.start_hash;
    snprintf(entry.name, sizeof entry.name, "%s", name);
    snprintf(entry.general, sizeof entry.general, "%s", start->general);
    if (record_take(trace, &since, &profile, &size))
        keep(folder, &entry, profile, size, &since);
}

/* own: the name of the start that is about to be recorded. */
static void take(int folder, const char *name, const char *own, store_keeper *keep)
{
    char file[STORE_NAME_BYTES + sizeof SUFFIX];
    size_t size = 0;
    snprintf(file, sizeof file, "%s" SUFFIX, name);
    uint64_t idle = idle_s(folder, file);
    uint8_t *trace = store_files_read(folder, name, SUFFIX, ALONE_BYTES, &size);
    const struct kept_start *start = find_start(trace, size);
    bool is_over = idle > IDLE_S || (start && record_is_over(trace));
    bool fits = start && identity_now(start->path, &start->executable) == FILE_SAME;
    bool waits = start && !fits && idle < ELSEWHERE_S && strcmp(name, own) != 0;
    if (is_over && !waits && (!start || store_files_lock(folder, start->state.start_hash))) {
        unlinkat(folder, file, 0);
        if (fits)
            make_profile(folder, name, start, trace, keep);
    }
    free(trace);
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free((void *)names);
}

struct store_item *store_traces_list(int folder, struct store_item *items, size_t *count)
{
    size_t name_count, size, index;
    char **names = store_files_names(folder, SUFFIX, &name_count);
    for (size_t i = 0; i < name_count; i++) {
        uint8_t *trace = store_files_read(folder, names[i], SUFFIX, ALONE_BYTES, &size);
        const struct kept_start *start = find_start(trace, size);
        size_t before = *count;
        if (start)
            FIND_OR_ADD(items, *count, names[i], &index)->waits = true;
        if (*count > before)
            items[index].state = start->state;
        free(trace);
    }
    free_names(names, name_count);
    return items;
}

bool store_traces_take(const struct store_entry *entry, store_keeper *keep)
{
    size_t count;
    int folder = store_files_open(entry->folder, false);
    if (folder < 0)
        return false;
    char **names = store_files_names(folder, SUFFIX, &count);
    pid_t child = count ? fork() : -1;
    if (child == 0) {
        for (size_t i = 0; i < count && i < MOST_TRACES; i++)
            take(folder, names[i], entry->name, keep);
        _exit(EXIT_SUCCESS);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    free_names(names, count);
    close(folder);
    return child > 0;
}

static bool identify(const char *path, const struct timespec *now, struct profile_file *out)
{
    struct stat status;
    return stat(path, &status) == 0 && identify_file(path, status.st_dev, status.st_ino, now, out);
}

bool store_traces_begin(const struct program *program, const struct store_entry *entry,
                        pid_t process, uint64_t most_ns)
{
    static struct kept_start start;
    size_t count;
    struct timespec now;
    char path[STORE_PATH_BYTES + STORE_NAME_BYTES + sizeof SUFFIX];
    int folder = store_files_open(entry->folder, true);
    if (folder < 0)
        return false;
    char **names = store_files_names(folder, SUFFIX, &count);
    free_names(names, count);
    close(folder);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(start.path, sizeof start.path, "%s", program->executable);
    snprintf(start.general, sizeof start.general, "%s", entry->general);
    start.state = entry->log.state;
    start.state.checked_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    snprintf(path, sizeof path, "%s/%s" SUFFIX, entry->folder, entry->name);
    return count < MOST_TRACES && identify(start.path, &now, &start.executable) &&
           record_alone(path, process, most_ns, &start, sizeof start);
}
