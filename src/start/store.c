/*
 * store.c: what a start is called in a store, and what is kept for it there.
 */
#include "start/store.h"

#include "base/resolve.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/mounts.h"
#include "replay/profile.h"
#include "start/options.h"

#define SYSTEM_STORE "/var/cache/coldboost"
#define LAYER_STORE  "/opt/coldboost/store"
#define MOST_LETTERS 40 /* of a name's part */

/* How often, and how soon, to look again at a log that is being replaced. */
#define LOCK_TRIES    250
#define LOCK_PAUSE_NS 200000

static uint32_t own_user(void)
{
    return (uint32_t)sys_geteuid();
}

const char *store_folder(char *const *envp, const char *variable, bool by_default,
                         char buffer[STORE_PATH_BYTES])
{
    if (variable)
        return *variable == '/' ? variable : NULL; /* "off", or no absolute path */
    if (!by_default)
        return LAYER_STORE;
    if (own_user() == 0)
        return SYSTEM_STORE;
    const char *cache = environment_get(envp, "XDG_CACHE_HOME");
    const char *home = environment_get(envp, "HOME");
    if (cache && *cache == '/')
        text_append(buffer, STORE_PATH_BYTES, text_append(buffer, STORE_PATH_BYTES, 0, cache),
                    "/coldboost");
    else if (home && *home == '/')
        text_append(buffer, STORE_PATH_BYTES, text_append(buffer, STORE_PATH_BYTES, 0, home),
                    "/.cache/coldboost");
    else
        return NULL;
    return buffer;
}

bool store_is_there(const char *variable)
{
    struct sys_status status;
    return variable || sys_stat(AT_FDCWD, LAYER_STORE, &status) == 0;
}

/* ---- names ------------------------------------------------------------------------------------
 */

/* The first argument that is no option, or NULL. */
static const char *find_argument(char *const *arguments)
{
    for (; *arguments; arguments++)
        if (**arguments && **arguments != '-')
            return *arguments;
    return NULL;
}

/* A file is known by its path, whatever folder or link it is called by. */
static const char *name_argument(const char *argument, char buffer[STORE_PATH_BYTES])
{
    return resolve_path(argument, buffer, STORE_PATH_BYTES) ? buffer : argument;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+';
}

/* The last part of a path, in letters that need no quoting. */
static size_t append_part(char *name, size_t at, const char *path)
{
    const char *part = text_last_part(path);
    for (size_t i = 0; i < MOST_LETTERS && part[i]; i++) {
        const char letter[] = {is_plain(part[i]) ? part[i] : '_', '\0'};
        at = text_append(name, STORE_NAME_BYTES, at, letter);
    }
    return at;
}

static void append_hash(char *name, size_t at, uint64_t hash)
{
    at = text_append(name, STORE_NAME_BYTES, at, "-");
    text_append_hash(name, STORE_NAME_BYTES, at, hash);
}

void store_name(const char *executable, const char *script, char *const *arguments,
                struct store_entry *out)
{
    char path[STORE_PATH_BYTES];
    const char *argument = script ? script : find_argument(arguments);
    uint64_t executable_hash = profile_hash(executable);
    out->executable_hash = executable_hash;
    out->start_hash = executable_hash;
    size_t at = append_part(out->general, 0, executable);
    append_hash(out->general, text_append(out->general, STORE_NAME_BYTES, at, "-any"),
                executable_hash);
    at = append_part(out->name, 0, executable);
    if (argument) {
        argument = name_argument(argument, path);
        out->start_hash = executable_hash * 0x9e3779b97f4a7c15u ^ profile_hash(argument);
        at = append_part(out->name, text_append(out->name, STORE_NAME_BYTES, at, "-"), argument);
    }
    append_hash(out->name, at, out->start_hash);
}

/* ---- files ------------------------------------------------------------------------------------
 */

/* Nobody but the caller and root may have written it. */
static bool is_ours(const struct sys_status *status, uint32_t user)
{
    return (status->uid == user || status->uid == 0) && !(status->mode & (S_IWGRP | S_IWOTH));
}

/* A link that nobody but root can have made: that of a service with DynamicUser= leads to the
 * folder of the user that it has this time. */
static bool is_roots_link(const char *path)
{
    char parent[STORE_PATH_BYTES];
    struct sys_status status;
    if (sys_stat(AT_FDCWD, path, &status) != 0 || (status.mode & S_IFMT) != S_IFLNK || status.uid)
        return false;
    size_t end = text_append(parent, sizeof parent, 0, path);
    while (end > 1 && parent[end - 1] != '/')
        end--;
    parent[end] = '\0';
    return sys_stat(AT_FDCWD, parent, &status) == 0 && is_ours(&status, 0);
}

bool store_may_hang(const char *path)
{
    char executable[STORE_PATH_BYTES];
    struct mounts mounts = {.used = 0};
    mounts_read(&mounts);
    if (!mounts.used && !mounts.too_many)
        return false;
    bool known = resolve_path("/proc/self/exe", executable, sizeof executable);
    return mounts_may_hang(&mounts, path, known ? executable : "");
}

/* No FUSE server keeps chattr(1)'s attributes, and all but few other file systems do: where they
 * are kept, the list of mounts need not be read, which takes longer than all else of a look-up. */
static bool may_hang(int fd, const struct sys_status *status)
{
    char path[STORE_PATH_BYTES];
    return !(status->kept_attributes & SYS_ATTRIBUTE_IMMUTABLE) &&
           resolve_descriptor(fd, path, sizeof path) && store_may_hang(path);
}

/* A path that the kernel remembers is followed without asking anybody. */
static int open_folder(const char *folder, uint32_t user)
{
    int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
    int fd = sys_open_how(folder, flags, SYS_KNOWN | (user ? 0 : SYS_WITHOUT_LINKS));
    if (fd >= 0)
        return fd;
    if (store_may_hang(folder))
        return -EPERM;
    if (user && is_roots_link(folder))
        flags &= ~O_NOFOLLOW;
    return user == 0 ? sys_open_without_links(folder, flags) : sys_open(folder, flags);
}

int store_open(const char *folder, uint32_t user, bool *writable)
{
    struct sys_status status;
    int fd = open_folder(folder, user);
    if (fd < 0)
        return fd;
    if (sys_stat_known(fd, &status) != 0 || !is_ours(&status, user) || may_hang(fd, &status)) {
        sys_close(fd);
        return -EPERM;
    }
    *writable = status.uid == user;
    return fd;
}

int store_open_file(int folder, uint32_t user, const char *name, const char *suffix, int flags)
{
    char file[STORE_NAME_BYTES + 8];
    struct sys_status status;
    text_append(file, sizeof file, text_append(file, sizeof file, 0, name), suffix);
    int fd = sys_open_at(folder, file, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fd;
    int error = flags & O_APPEND ? sys_lock_shared(fd) : 0;
    if (!error)
        error = sys_stat(fd, "", &status);
    if (!error && ((status.mode & S_IFMT) != S_IFREG || !is_ours(&status, user)))
        error = -EPERM;
    if (!error && !status.links)
        error = -ESTALE;
    if (error)
        sys_close(fd);
    return error ? error : fd;
}

bool store_state_is_good(const struct store_state *state, size_t bytes)
{
    if (bytes < sizeof *state || !bytes_equal(state->magic, STORE_MAGIC, sizeof state->magic) ||
        state->start[sizeof state->start - 1])
        return false;
    for (size_t i = 0; i < STORE_WATCHED; i++)
        if (state->watched[i][sizeof state->watched[i] - 1])
            return false;
    return true;
}

/* To read, and to add to if that is possible: then is_open is set. */
static int open_log(int folder, uint32_t user, struct store_entry *entry, const char *name)
{
    for (int i = 0; entry->writable && i < LOCK_TRIES; i++) {
        int fd = store_open_file(folder, user, name, ".log", O_RDWR | O_APPEND);
        entry->is_open = fd >= 0;
        if (entry->is_open || fd == -ENOENT)
            return fd;
        if (fd != -EAGAIN && fd != -ESTALE)
            break;
        sys_sleep_ns(LOCK_PAUSE_NS);
    }
    return store_open_file(folder, user, name, ".log", O_RDONLY);
}

void store_close(struct store_entry *entry)
{
    if (entry->is_open)
        sys_close(entry->fd);
    entry->is_open = false;
}

static bool read_log(int folder, uint32_t user, struct store_entry *entry, const char *name)
{
    struct store_log *log = &entry->log;
    entry->fd = *name ? open_log(folder, user, entry, name) : -ENOENT;
    long n = entry->fd < 0 ? entry->fd : sys_pread(entry->fd, log, sizeof *log, 0);
    bool good = n >= 0 && store_state_is_good(&log->state, (size_t)n) &&
                log->state.executable_hash == entry->executable_hash;
    entry->event_count = good ? ((size_t)n - sizeof log->state) / sizeof *log->events : 0;
    entry->is_full = entry->is_open && entry->event_count == STORE_EVENTS;
    if (entry->fd >= 0 && (!entry->is_open || !good || entry->is_full)) {
        sys_close(entry->fd);
        entry->is_open = false;
    }
    return good;
}

/* Whether a file that matters may have been written, replaced or touched since it was looked at:
 * this is asked before each start, of few files. The tool then looks at all of them. */
static bool may_have_changed(const struct store_state *state)
{
    for (size_t i = 0; i < STORE_WATCHED && *state->watched[i]; i++) {
        struct sys_status status;
        if (sys_stat(AT_FDCWD, state->watched[i], &status) != 0 ||
            sys_change_ns(&status) > (int64_t)state->checked_ns)
            return true;
    }
    return false;
}

static bool is_due(const struct store_state *state)
{
    int64_t age = (int64_t)(sys_clock_ns(CLOCK_REALTIME) - state->checked_ns);
    return (state->flags & STORE_ONCE) || age > (int64_t)STORE_MAX_AGE_S * 1000000000;
}

bool store_is_due(const struct store_entry *entry)
{
    return !*entry->profile || is_due(&entry->log.state);
}

static void set_profile(struct store_entry *entry, const char *name)
{
    size_t at = text_append(entry->profile, sizeof entry->profile, 0, entry->folder);
    at = text_append(entry->profile, sizeof entry->profile, at, "/");
    at = text_append(entry->profile, sizeof entry->profile, at, name);
    text_append(entry->profile, sizeof entry->profile, at, ".cbp");
}

/* Whether the start is one of the last that the general profile stood in for. */
static bool was_seen(const struct store_entry *entry)
{
    for (size_t i = 0; i < entry->event_count; i++)
        if (entry->log.events[i].start_hash == entry->start_hash)
            return true;
    return false;
}

/* Fills out what is known of the start, or of the executable's starts in general. */
static bool find_state(int folder, uint32_t user, struct store_entry *entry)
{
    const struct store_state *state = &entry->log.state;
    entry->is_general = false;
    bool known = read_log(folder, user, entry, entry->name);
    if (known && state->start_hash == entry->start_hash) {
        if (state->recorded_ns)
            set_profile(entry, entry->name);
        return true;
    }
    store_close(entry);
    entry->is_general = read_log(folder, user, entry, entry->general) &&
                        (state->flags & STORE_GENERAL) && !was_seen(entry);
    if (entry->is_general)
        set_profile(entry, entry->general);
    else
        store_close(entry);
    return entry->is_general;
}

enum store_answer store_look(struct store_entry *entry)
{
    uint32_t user = own_user();
    int folder = store_open(entry->folder, user, &entry->writable);
    entry->profile[0] = '\0';
    if (folder < 0) {
        entry->writable = folder == -ENOENT && !entry->only_read; /* the tool makes it */
        return entry->writable ? STORE_RECORD : STORE_NOTHING;
    }
    entry->writable &= !entry->only_read;
    bool known = find_state(folder, user, entry);
    sys_close(folder);
    if (!known)
        entry->log.state = (struct store_state){.flags = 0};
    else if (!is_due(&entry->log.state) && !may_have_changed(&entry->log.state))
        return *entry->profile ? STORE_REPLAY : STORE_NOTHING;
    return entry->writable ? STORE_RECORD : *entry->profile ? STORE_REPLAY : STORE_NOTHING;
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void add_event(struct store_entry *entry, const struct store_event *event)
{
    if (entry->is_open)
        sys_write(entry->fd, event, sizeof *event);
    store_close(entry);
}

void store_note(struct store_entry *entry, enum store_event_kind kind)
{
    const struct store_event event = {.kind = kind,
                                      .start_hash = entry->is_general ? entry->start_hash : 0};
    add_event(entry, &event);
}

bool store_is_timed(const struct store_entry *entry)
{
    const struct store_log *log = &entry->log;
    uint32_t timed = log->state.timed;
    for (size_t i = 0; i < entry->event_count; i++)
        timed += log->events[i].kind == STORE_TIMED;
    return entry->is_open && log->state.recorded_us && timed < STORE_MOST_TIMED;
}

void store_note_time(struct store_entry *entry, uint64_t ns)
{
    const struct store_event event = {.kind = STORE_TIMED, .us = (uint32_t)(ns / 1000)};
    uint32_t user = own_user();
    int folder = store_open(entry->folder, user, &entry->writable);
    if (folder < 0)
        return;
    entry->fd = open_log(folder, user, entry, entry->name);
    sys_close(folder);
    if (entry->fd >= 0 && !entry->is_open) /* only to read */
        sys_close(entry->fd);
    add_event(entry, &event);
}
