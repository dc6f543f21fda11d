/*
 * store_files.c: reads, writes, locks and lists a store's files. Silent.
 */
#include "store/store_files.h"

#include "cli/command.h"
#include "cli/table.h"
#include "replay/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    int fd;
    bool writable;
    if (make)
        make_folders(folder);
    store_open(folder, &fd, &writable);
    return fd;
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
    int fd = store_open_file(folder, name, suffix, O_RDONLY);
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

/* ---- what is there ----------------------------------------------------------------------------
 */

static void count_events(struct store_item *item, const uint8_t *bytes, size_t size)
{
    struct store_event event;
    for (size_t at = sizeof item->state; at + sizeof event <= size; at += sizeof event) {
        memcpy(&event, bytes + at, sizeof event);
        if (event.kind <= STORE_SEEN)
            item->events[event.kind]++;
    }
}

static bool read_item(int folder, const char *name, struct store_item *item)
{
    size_t size;
    struct stat status;
    char file[NAME_MAX + 16];
    uint8_t *log = store_files_read(folder, name, ".log", 2 * STORE_LOG_BYTES, &size);
    if (!log)
        return false;
    *item = (struct store_item){.name = NULL};
    if (size >= sizeof item->state)
        memcpy(&item->state, log, sizeof item->state);
    bool good = store_state_is_good(&item->state, size);
    if (good)
        count_events(item, log, size);
    free(log);
    snprintf(file, sizeof file, "%s.cbp", name);
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) == 0)
        item->profile_bytes = (uint64_t)status.st_size;
    snprintf(file, sizeof file, "%s.log", name);
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) == 0)
        item->used_ns =
            (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    if (good)
        item->name = xstrdup(name);
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct store_item *)a)->name, ((const struct store_item *)b)->name);
}

struct store_item *store_files_list(int folder, size_t *count)
{
    struct store_item *items = NULL;
    *count = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries)
        return NULL;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        size_t length = strlen(entry->d_name);
        char name[NAME_MAX + 1];
        if (length <= 4 || length >= STORE_NAME_BYTES + 4 ||
            strcmp(entry->d_name + length - 4, ".log") != 0)
            continue;
        memcpy(name, entry->d_name, length - 4);
        name[length - 4] = '\0';
        items = xrealloc(items, (*count + 1) * sizeof *items);
        if (read_item(folder, name, &items[*count]))
            ++*count;
    }
    closedir(entries);
    SORT(items, *count, by_name);
    return items;
}

void store_items_free(struct store_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i].name);
    free(items);
}
