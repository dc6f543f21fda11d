/*
 * keep.c: what a recording becomes in a store.
 *
 * Two recordings settle a profile: the first is made with readahead in the way, and often on a warm
 * cache. A program whose argument never repeats (a compiler, an image converter) would be recorded
 * for ever: so when FEW starts of an executable have been recorded and none of them came again,
 * their profiles become one, of what at least half of them need. From then on it serves every start
 * that has no profile of its own, and only one that comes again is recorded for itself.
 */
#include "store/keep.h"

#include "base/sys.h"
#include "cli/command.h"
#include "cli/table.h"
#include "profile/identity.h"
#include "profile/merge.h"
#include "profile/store_files.h"
#include "record/beside.h"
#include "start/options.h"
#include "store/store_traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FEW = 4,
    HALF = 50,    /* per cent */
    CHANGED = 20, /* a twentieth of the bytes */
    COLD = 2,     /* half of them were read from storage */
};
#define MOST_BYTES (48u << 20) /* of profiles; 64 MiB with the traces */
#define MOST_NS    10000000000u

/* A recording that this process, the watcher, is going to keep. */
struct keeping {
    struct store_entry *entry;
    char *const *command;
    int folder;
};

static uint64_t in_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

/* ---- the state --------------------------------------------------------------------------------
 */

static void describe(char *text, size_t room, char *const *command)
{
    size_t at = 0;
    for (; *command && at + 1 < room; command++)
        at += (size_t)snprintf(text + at, room - at, "%s%s", at ? " " : "", *command);
}

/* Pages that a profile reads of each of its files; the caller's to free. */
static uint64_t *count_pages(const struct profile *profile)
{
    uint64_t *pages = xmalloc((profile->header->file_count + 1) * sizeof *pages);
    memset(pages, 0, (profile->header->file_count + 1) * sizeof *pages);
    for (uint32_t i = 0; i < profile->header->range_count; i++)
        pages[profile->ranges[i].file] += profile->ranges[i].page_count;
    return pages;
}

static void choose_watched(struct store_state *state, const struct profile *profile)
{
    uint64_t *pages = count_pages(profile);
    memset(state->watched, 0, sizeof state->watched);
    for (size_t i = 0; i < STORE_WATCHED; i++) {
        uint32_t most = 0;
        for (uint32_t k = 1; k < profile->header->file_count; k++)
            if (pages[k] > pages[most])
                most = k;
        if (!profile->header->file_count || !pages[most])
            break;
        const char *path = profile->strings + profile->files[most].path;
        if (strlen(path) < sizeof state->watched[i])
            memcpy(state->watched[i], path, strlen(path) + 1);
        else
            i--;
        pages[most] = 0;
    }
    free(pages);
}

/* ---- profiles ---------------------------------------------------------------------------------
 */

/* The bytes are the list's from here on. */
static bool add_source(struct merge_sources *sources, uint8_t *bytes, size_t size)
{
    struct merge_source source = {.bytes = bytes};
    if (!bytes || profile_parse(bytes, size, &source.profile) != 0) {
        free(bytes);
        return false;
    }
    *GROW(sources->all, sources->count) = source;
    return true;
}

static bool add_file(struct merge_sources *sources, int folder, const char *name)
{
    size_t size = 0;
    uint8_t *bytes = store_files_read(folder, name, ".cbp", PROFILE_MAX_BYTES, &size);
    return add_source(sources, bytes, size);
}

/* What the profile brings into memory. */
static uint64_t profile_bytes(const uint8_t *bytes, size_t size)
{
    struct profile profile;
    uint64_t pages = 0;
    if (!bytes || profile_parse(bytes, size, &profile) != 0)
        return UINT64_MAX;
    for (uint32_t i = 0; i < profile.header->range_count; i++)
        pages += profile.ranges[i].page_count;
    return pages * PROFILE_PAGE_BYTES;
}

/* Unites the sources, if there are so many, and frees them. NULL if that is impossible. */
static uint8_t *unite(struct merge_sources *sources, size_t least, size_t *size)
{
    struct merge_totals totals;
    uint8_t *bytes = NULL;
    if (sources->count < least ||
        merge_profiles(sources->all, sources->count, HALF, &bytes, size, &totals) != 0)
        bytes = NULL;
    merge_sources_free(sources);
    return bytes;
}

/* Writes a profile and what is known of it. */
static bool put(int folder, const char *name, struct store_state *state, const uint8_t *bytes,
                size_t size)
{
    struct profile profile;
    if (profile_parse(bytes, size, &profile) != 0)
        return false;
    choose_watched(state, &profile);
    if (store_files_write(folder, name, ".cbp", bytes, size) &&
        store_files_put(folder, name, state, 0))
        return true;
    store_files_remove(folder, name); /* one without the other is of no use */
    return false;
}

/* One profile for all starts of the executable, if FEW were recorded that never came again. */
static void generalise(int folder, const struct store_entry *entry)
{
    const struct store_state *state = &entry->log.state;
    size_t count, size = 0, singles = 0;
    struct store_item *items = store_files_list(folder, &count);
    bool *single = xmalloc((count + 1) * sizeof *single);
    for (size_t i = 0; i < count; i++) {
        const struct store_item *item = &items[i];
        single[i] = item->state.executable_hash == state->executable_hash &&
                    item->state.recordings == 1 && !(item->state.flags & STORE_GENERAL) &&
                    !item->state.boosted && !item->state.warm &&
                    strcmp(item->name, entry->general) != 0;
        singles += single[i];
    }
    struct merge_sources sources = {NULL, 0};
    for (size_t i = 0; i < count && singles >= FEW; i++)
        if (single[i])
            add_file(&sources, folder, items[i].name);
    uint8_t *bytes = unite(&sources, FEW, &size);
    struct store_state general = *state;
    general.flags = STORE_GENERAL;
    general.recordings = (uint32_t)singles;
    general.start_hash = 0;
    general.recorded_us = 0;
    snprintf(general.start, sizeof general.start, "%.*s …", (int)strcspn(state->start, " "),
             state->start);
    if (bytes && put(folder, entry->general, &general, bytes, size))
        for (size_t i = 0; i < count; i++)
            if (single[i])
                store_files_remove(folder, items[i].name);
    free(bytes);
    free(single);
    store_items_free(items, count);
}

/* The least recently used go, until the rest fits. */
static void prune(int folder)
{
    size_t count;
    struct store_item *items = store_files_list(folder, &count);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += items[i].profile_bytes + sizeof items[i].state;
    while (total > MOST_BYTES) {
        struct store_item *oldest = NULL;
        for (size_t i = 0; i < count; i++)
            if (items[i].used_ns && (!oldest || items[i].used_ns < oldest->used_ns))
                oldest = &items[i];
        if (!oldest)
            break;
        store_files_remove(folder, oldest->name);
        total -= oldest->profile_bytes + sizeof oldest->state;
        oldest->used_ns = 0;
    }
    store_items_free(items, count);
}

/* ---- what becomes of a recording --------------------------------------------------------------
 */

/* Of a start that is going to be recorded. */
static void begin_state(struct store_entry *entry, char *const *command)
{
    struct store_state *state = &entry->log.state;
    if (entry->is_general) /* this start is going to have a profile of its own */
        *state = (struct store_state){.flags = 0};
    memcpy(state->magic, STORE_MAGIC, sizeof state->magic);
    state->executable_hash = entry->executable_hash;
    state->start_hash = entry->start_hash;
    describe(state->start, sizeof state->start, command);
}

/* Another start at the same time was quicker: recorded since this one looked into the store. */
static bool comes_late(const struct store_entry *entry)
{
    static struct store_entry now;
    now = *entry;
    store_look(&now);
    store_close(&now);
    return now.log.state.recorded_ns != entry->log.state.recorded_ns;
}

static bool admit(void *context)
{
    struct keeping *keeping = context;
    struct store_entry *entry = keeping->entry;
    keeping->folder = store_files_open(entry->folder, true);
    bool good = keeping->folder >= 0 && store_files_lock(keeping->folder, entry->start_hash) &&
                !comes_late(entry);
    begin_state(entry, keeping->command);
    return good;
}

/* A store_keeper. */
static void keep_profile(int folder, struct store_entry *entry, uint8_t *bytes, size_t size,
                         const struct timespec *since)
{
    struct store_state *state = &entry->log.state;
    state->checked_ns = in_ns(since);
    if (!bytes) {
        state->flags = STORE_UNFIT;
        store_files_put(folder, entry->name, state, 0);
        return;
    }
    struct merge_sources sources = {NULL, 0};
    bool again = add_file(&sources, folder, entry->name);
    add_source(&sources, bytes, size);
    uint8_t *united = unite(&sources, 1, &size);
    state->flags = again ? 0 : STORE_ONCE;
    state->recordings = again ? state->recordings + 1 : 1;
    state->recorded_ns = in_ns(since);
    if (united && put(folder, entry->name, state, united, size)) {
        if (!again && store_files_lock(folder, ~state->executable_hash))
            generalise(folder, entry);
        prune(folder);
    }
    free(united);
}

static void keep(void *context, uint8_t *bytes, size_t size, const struct beside_seen *seen)
{
    const struct keeping *keeping = context;
    if (seen->ended && seen->read_bytes * COLD >= profile_bytes(bytes, size))
        keeping->entry->log.state.recorded_us = seen->us;
    keep_profile(keeping->folder, keeping->entry, bytes, size, &seen->since);
}

bool keep_alone(const struct program *program, struct store_entry *entry, char *const *command)
{
    begin_state(entry, command);
    return store_traces_begin(program, entry, getppid(), MOST_NS);
}

void keep_watch(int trace, char *const *command)
{
    static struct watcher_note note;
    struct keeping keeping = {.entry = &note.entry, .command = command, .folder = -1};
    struct beside_keeper keeper = {.admit = admit, .keep = keep, .context = &keeping};
    if (!beside_open(trace, &note))
        return;
    beside_watch(&note, MOST_NS, &keeper);
    store_traces_take(&note.entry, keep_profile);
}

/* ---- whether it is to be made again -----------------------------------------------------------
 */

bool keep_has_changed(const struct profile *profile)
{
    uint64_t *pages = count_pages(profile), all = 0, changed = 0;
    for (uint32_t i = 0; i < profile->header->file_count; i++) {
        all += pages[i];
        if (pages[i] && identity_now(profile->strings + profile->files[i].path,
                                     &profile->files[i]) != FILE_SAME)
            changed += pages[i];
    }
    free(pages);
    return changed * CHANGED > all;
}

bool keep_is_due(const struct store_entry *entry, bool *has_read)
{
    struct profile profile;
    size_t size;
    uint64_t now_ns = sys_clock_ns(CLOCK_REALTIME);
    const char *name = entry->is_general ? entry->general : entry->name;
    if (store_is_due(entry))
        return true;
    *has_read = true;
    int folder = store_files_open(entry->folder, false);
    uint8_t *bytes =
        folder < 0 ? NULL : store_files_read(folder, name, ".cbp", PROFILE_MAX_BYTES, &size);
    bool due = !bytes || profile_parse(bytes, size, &profile) != 0 || keep_has_changed(&profile);
    free(bytes);
    if (!due)
        store_files_put(folder, name, NULL, now_ns);
    if (folder >= 0)
        close(folder);
    return due;
}

enum store_answer keep_look(struct store_entry *entry, bool *has_read)
{
    enum store_answer answer = store_look(entry);
    if (answer != STORE_RECORD || !entry->writable)
        return answer;
    store_close(entry);
    *has_read |= store_traces_take(entry, keep_profile);
    return store_look(entry);
}

void keep_count(const struct store_entry *entry)
{
    int folder = store_files_open(entry->folder, false);
    if (folder < 0)
        return;
    store_files_put(folder, entry->is_general ? entry->general : entry->name, NULL, 0);
    close(folder);
}

bool keep_find(const struct program *program, char *const *command, struct store_entry *entry)
{
    char buffer[STORE_PATH_BYTES], path[PROGRAM_PATH_BYTES];
    struct options options;
    options_read(environ, &options);
    const char *folder = store_folder(environ, options.store, true, buffer);
    if (!folder || strlen(folder) >= sizeof entry->folder)
        return false;
    memcpy(entry->folder, folder, strlen(folder) + 1);
    store_name(program->executable, program_script(program, path), command + 1, entry);
    return true;
}
