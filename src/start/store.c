/*
 * store.c: what a start is called in a store, and what is kept for it there.
 */
#include "start/store.h"

#include "base/resolve.h"
#include "base/sys.h"
#include "base/text.h"
#include "replay/profile.h"
#include "start/options.h"

#define SYSTEM_STORE "/var/cache/coldboost"
#define MOST_LETTERS 40 /* of a name's part */

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
        return NULL;
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
    out->state.executable_hash = executable_hash;
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

bool store_open(const char *folder, int *fd, bool *writable)
{
    struct sys_status status;
    uint32_t user = own_user();
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
    if (user && is_roots_link(folder))
        flags &= ~O_NOFOLLOW;
    *fd = user == 0 ? sys_open_without_links(folder, flags) : sys_open(folder, flags);
    if (*fd < 0)
        return false;
    if (sys_stat(*fd, "", &status) != 0 || !is_ours(&status, user)) {
        sys_close(*fd);
        *fd = -EPERM;
        return false;
    }
    *writable = status.uid == user;
    return true;
}

int store_open_file(int folder, const char *name, const char *suffix, int flags)
{
    char file[STORE_NAME_BYTES + 8];
    struct sys_status status;
    text_append(file, sizeof file, text_append(file, sizeof file, 0, name), suffix);
    int fd = sys_open_at(folder, file, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fd;
    int error = sys_stat(fd, "", &status);
    if (error == 0 && ((status.mode & S_IFMT) != S_IFREG || !is_ours(&status, own_user())))
        error = -EPERM;
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

static bool read_state(int folder, const char *name, struct store_state *state)
{
    int fd = *name ? store_open_file(folder, name, ".log", O_RDONLY) : -ENOENT;
    if (fd < 0)
        return false;
    struct store_state read;
    long n = sys_pread(fd, &read, sizeof read, 0);
    sys_close(fd);
    if (n < 0 || !store_state_is_good(&read, (size_t)n))
        return false;
    *state = read;
    return true;
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
    int64_t now = (int64_t)sys_clock_ns(CLOCK_REALTIME);
    int64_t age = now - (int64_t)state->checked_ns;
    return (state->flags & STORE_ONCE) || age > (int64_t)STORE_MAX_AGE_S * 1000000000 ||
           may_have_changed(state);
}

static void set_profile(struct store_entry *entry, const char *name)
{
    size_t at = text_append(entry->profile, sizeof entry->profile, 0, entry->folder);
    at = text_append(entry->profile, sizeof entry->profile, at, "/");
    at = text_append(entry->profile, sizeof entry->profile, at, name);
    text_append(entry->profile, sizeof entry->profile, at, ".cbp");
}

/* Whether the start is one of the last that the general profile was replayed for. */
static bool was_seen(int folder, const char *general, uint64_t start_hash)
{
    struct store_event events[256];
    struct sys_status status;
    int fd = store_open_file(folder, general, ".log", O_RDONLY);
    if (fd < 0)
        return false;
    uint64_t end = sys_stat(fd, "", &status) == 0 ? status.size : 0,
             from = sizeof(struct store_state);
    if (end > from + sizeof events)
        from = end - sizeof events;
    long n = sys_pread(fd, events, sizeof events, from);
    sys_close(fd);
    for (long i = 0; i < n / (long)sizeof *events; i++)
        if (events[i].kind == STORE_SEEN && events[i].start_hash == start_hash)
            return true;
    return false;
}

/* Fills out what is known of the start, and of the executable's starts in general. */
static bool find_state(int folder, struct store_entry *entry)
{
    struct store_state own, general;
    uint64_t executable_hash = entry->state.executable_hash;
    bool known = read_state(folder, entry->name, &own) && own.executable_hash == executable_hash &&
                 own.start_hash == entry->start_hash;
    if (known && own.recorded_ns)
        set_profile(entry, entry->name);
    if (known) {
        entry->state = own;
        return true;
    }
    entry->is_general = read_state(folder, entry->general, &general) &&
                        (general.flags & STORE_GENERAL) &&
                        general.executable_hash == executable_hash &&
                        !was_seen(folder, entry->general, entry->start_hash);
    if (entry->is_general) {
        entry->state = general;
        set_profile(entry, entry->general);
    }
    return entry->is_general;
}

enum store_answer store_look(struct store_entry *entry)
{
    int folder;
    entry->profile[0] = '\0';
    if (!store_open(entry->folder, &folder, &entry->writable)) {
        entry->writable = folder == -ENOENT; /* the tool makes it */
        return entry->writable ? STORE_RECORD : STORE_NOTHING;
    }
    bool known = find_state(folder, entry);
    sys_close(folder);
    if (known && !is_due(&entry->state))
        return *entry->profile ? STORE_REPLAY : STORE_NOTHING;
    return entry->writable ? STORE_RECORD : *entry->profile ? STORE_REPLAY : STORE_NOTHING;
}

void store_add_replay(const struct store_entry *entry)
{
    const struct store_event event = {
        .kind = entry->is_general ? STORE_SEEN : STORE_BOOSTED,
        .start_hash = entry->is_general ? entry->start_hash : 0,
    };
    struct sys_status status;
    int folder;
    bool writable;
    if (!store_open(entry->folder, &folder, &writable))
        return;
    int fd = store_open_file(folder, entry->is_general ? entry->general : entry->name, ".log",
                             O_WRONLY | O_APPEND);
    if (fd >= 0 && sys_stat(fd, "", &status) == 0 && status.size < STORE_LOG_BYTES)
        sys_write(fd, &event, sizeof event);
    if (fd >= 0)
        sys_close(fd);
    sys_close(folder);
}
