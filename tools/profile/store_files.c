/*
 * store_files.c: reads, writes, locks and lists a store's files.
 */
#include "profile/store_files.h"

#include "cli/command.h"
#include "cli/table.h"
#include "profile/profile_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "lock"

static void make_folders(const char *folder)
{
    char path[STORE_PATH_BYTES];
    snprintf(path, sizeof path, "%s", folder);
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0755);
            *at = '/';
        }
    mkdir(path, 0700);
}

int store_files_open(const char *folder, bool make)
{
    bool writable;
    if (make)
        make_folders(folder);
    return store_open(folder, geteuid(), &writable);
}

_Noreturn void store_files_refuse(const char *folder)
{
    fail(EXIT_FAILED,
         "%s: not used as a store: it must be a folder that is yours, that nobody else may "
         "write to, and that is not on FUSE",
         folder);
}

bool store_files_lock(int folder, uint64_t start_hash)
{
    int fd = openat(folder, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_start = (off_t)(start_hash >> 2), .l_len = 1};
    if (fd < 0)
        return false;
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return true; /* and fd stays open */
    close(fd);
    return false;
}

static bool fill(int fd, const void *bytes, size_t size)
{
    bool good = write_all(fd, bytes, size) == 0;
    return close(fd) == 0 && good;
}

bool store_files_write(int folder, const char *name, const char *suffix, const void *bytes,
                       size_t size)
{
    char file[NAME_MAX + 16], made[NAME_MAX + 16];
    snprintf(file, sizeof file, "%s%s", name, suffix);
    snprintf(made, sizeof made, "%s%s.new", name, suffix);
    unlinkat(folder, made, 0); /* of a writer that was killed */
    int fd = openat(folder, made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (fill(fd, bytes, size) && renameat(folder, made, folder, file) == 0)
        return true;
    unlinkat(folder, made, 0);
    return false;
}

uint8_t *store_files_read(int folder, const char *name, const char *suffix, size_t most,
                          size_t *size)
{
    int fd = store_open_file(folder, geteuid(), name, suffix, O_RDONLY);
    struct stat status;
    if (fd < 0)
        return NULL;
    uint8_t *bytes = NULL;
    ssize_t n = -1;
    if (fstat(fd, &status) == 0 && status.st_size > 0 && (uintmax_t)status.st_size <= most) {
        bytes = xmalloc((size_t)status.st_size);
        n = pread(fd, bytes, (size_t)status.st_size, 0);
    }
    close(fd);
    if (n <= 0) {
        free(bytes);
        return NULL;
    }
    *size = (size_t)n;
    return bytes;
}

void store_files_remove(int folder, const char *name)
{
    static const char *const suffixes[] = {".cbp", ".log", ".trace"};
    char file[NAME_MAX + 16];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(file, sizeof file, "%s%s", name, suffixes[i]);
        unlinkat(folder, file, 0);
    }
}

/* ---- logs -------------------------------------------------------------------------------------
 */

/* A start holds the lock for a millisecond; one that has been stopped meanwhile loses its event. */
enum { LOCK_TRIES = 2000, LOCK_PAUSE_US = 1000, MOST_LOG_BYTES = 1 << 20 };
/* Of the starts that a general profile stands in for, the last that are known. */
enum { KEPT_STARTS = STORE_EVENTS / 2 };

/* The log as it is, and nobody adds an event until it is closed; -1 if there is none. */
static int lock_log(int folder, const char *name)
{
    struct stat status;
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = store_open_file(folder, geteuid(), name, ".log", O_RDONLY);
        if (fd < 0 && fd != -ESTALE)
            return -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 &&
            status.st_nlink)
            return fd;
        if (fd >= 0)
            close(fd);
        usleep(LOCK_PAUSE_US);
    }
    return -1;
}

static void count_event(struct store_state *state, const struct store_event *event)
{
    state->boosted += event->kind == STORE_BOOSTED;
    state->warm += event->kind == STORE_WARM;
    if (event->kind == STORE_TIMED) {
        state->timed++;
        state->timed_us += event->us;
    }
}

/* A log with its events counted in the state, the caller's to free; NULL if there is none. */
static struct store_log *read_log(int folder, const char *name, size_t *events)
{
    size_t size;
    struct store_log *log = (void *)store_files_read(folder, name, ".log", MOST_LOG_BYTES, &size);
    if (!log || size < sizeof log->state || !store_state_is_good(&log->state, size)) {
        free(log);
        return NULL;
    }
    *events = (size - sizeof log->state) / sizeof *log->events;
    const struct store_event *event = log->events;
    for (size_t i = 0; i < *events; i++)
        count_event(&log->state, event + i);
    return log;
}

bool store_files_put(int folder, const char *name, const struct store_state *state,
                     uint64_t checked_ns)
{
    size_t events = 0, kept = 0;
    int fd = lock_log(folder, name);
    struct store_log *old = read_log(folder, name, &events);
    struct store_log *log = xmalloc(sizeof *log);
    memset(log, 0, sizeof *log);
    if (old)
        log->state = old->state;
    if (state) {
        log->state = *state;
        log->state.boosted = old ? old->state.boosted : 0;
        log->state.warm = old ? old->state.warm : 0;
        bool same = old && old->state.recorded_us == state->recorded_us;
        log->state.timed = same ? old->state.timed : 0;
        log->state.timed_us = same ? old->state.timed_us : 0;
    }
    if (checked_ns)
        log->state.checked_ns = checked_ns;
    for (size_t i = events > KEPT_STARTS ? events - KEPT_STARTS : 0; old && i < events; i++)
        if (old->events[i].start_hash)
            log->events[kept++] = (struct store_event){STORE_SEEN, 0, old->events[i].start_hash};
    size_t size = sizeof log->state + kept * sizeof *log->events;
    bool written = (old || state) && store_files_write(folder, name, ".log", log, size);
    free(log);
    free(old);
    if (fd >= 0)
        close(fd);
    return written;
}

/* ---- what is there ----------------------------------------------------------------------------
 */

static bool read_item(int folder, const char *name, struct store_item *item)
{
    size_t events;
    struct stat status;
    char file[NAME_MAX + 16];
    struct store_log *log = read_log(folder, name, &events);
    if (!log)
        return false;
    *item = (struct store_item){.name = xstrdup(name), .state = log->state};
    free(log);
    snprintf(file, sizeof file, "%s.cbp", name);
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) == 0)
        item->profile_bytes = (uint64_t)status.st_size;
    snprintf(file, sizeof file, "%s.log", name);
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) == 0)
        item->used_ns =
            (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct store_item *)a)->name, ((const struct store_item *)b)->name);
}

char **store_files_names(int folder, const char *suffix, size_t *count)
{
    char **names = NULL;
    *count = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries)
        return NULL;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name), end = strlen(suffix);
        if (length > end && length - end < STORE_NAME_BYTES &&
            strcmp(entry->d_name + length - end, suffix) == 0)
            *GROW(names, *count) = xasprintf("%.*s", (int)(length - end), entry->d_name);
    }
    closedir(entries);
    return names;
}

struct store_item *store_files_list(int folder, size_t *count)
{
    size_t name_count;
    char **names = store_files_names(folder, ".log", &name_count);
    struct store_item item, *items = NULL;
    *count = 0;
    for (size_t i = 0; i < name_count; i++) {
        if (read_item(folder, names[i], &item))
            *GROW(items, *count) = item;
        free(names[i]);
    }
    free((void *)names);
    SORT(items, *count, by_name);
    return items;
}

void store_items_free(struct store_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i].name);
    free(items);
}

struct stored_profile *store_files_load(const char *path, size_t *count)
{
    struct stored_profile *all = NULL;
    size_t item_count, size;
    int folder = store_files_open(path, false);
    *count = 0;
    if (folder < 0)
        store_files_refuse(path);
    struct store_item *items = store_files_list(folder, &item_count);
    for (size_t i = 0; i < item_count; i++) {
        uint8_t *bytes = store_files_read(folder, items[i].name, ".cbp", PROFILE_MAX_BYTES, &size);
        if (!bytes)
            continue; /* the start cannot be recorded */
        struct stored_profile *stored = GROW(all, *count);
        *stored = (struct stored_profile){.name = xstrdup(items[i].name),
                                          .path = xasprintf("%s/%s.cbp", path, items[i].name),
                                          .state = items[i].state,
                                          .bytes = bytes,
                                          .size = size};
        check_profile(stored->path, bytes, size, &stored->profile);
    }
    store_items_free(items, item_count);
    close(folder);
    if (!*count)
        fail(EXIT_FAILED, "%s: holds no profile", path);
    return all;
}
