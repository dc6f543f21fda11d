/*
 * store.h: a store is a folder of profiles, one for each start of a program.
 *
 * A start is an executable and its first argument that is not an option: a script, a jar, a
 * sub-command. Its name is computed from these, so that nothing has to be listed or searched. Two
 * files belong to it: NAME.cbp, the profile, and NAME.log, which says what is known about the start
 * (struct store_log) and grows by an event with each of them. A program whose argument never
 * repeats has one profile, "any", for all starts that have none of their own.
 *
 * Nothing here is trusted. Whoever may write to a store can only make us read in vain. Works
 * without libc: no output, no errno, nothing allocated, nothing left open.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PATH_BYTES 4096u
#define STORE_NAME_BYTES 128u
#define STORE_MAGIC      "CBSTORE2"
#define STORE_WATCHED    4u            /* files */
#define STORE_EVENTS     128u          /* none is added beyond: then the tool counts them */
#define STORE_MOST_TIMED 4u            /* boosted starts that are timed, for each recorded one */
#define STORE_MAX_AGE_S  (30u * 86400) /* then a start is recorded again */

enum store_flags {
    STORE_ONCE = 1,    /* recorded once, with readahead in the way: the next start settles it */
    STORE_GENERAL = 2, /* the profile is of several starts of the executable, for all others */
    STORE_UNFIT = 4,   /* this start cannot be recorded: there is no profile */
};

/* The beginning of NAME.log; little-endian. Replaced as a whole, under a lock of the file that who
 * adds an event shares: so none is lost. */
struct store_state {
    uint8_t magic[8];
    uint32_t flags;      /* enum store_flags */
    uint32_t recordings; /* that the profile is made of */
    uint64_t executable_hash;
    uint64_t recorded_ns; /* CLOCK_REALTIME; 0: there is no profile */
    uint64_t checked_ns;  /* until then none of the files had changed */
    uint64_t start_hash;
    /* Of the events that stood behind it. */
    uint32_t boosted, warm;
    uint32_t recorded_us; /* what the last recorded start took that read from storage; 0: none */
    uint32_t timed;       /* boosted starts since, and what they took together: */
    uint64_t timed_us;
    char start[488];                  /* for people: what was started */
    char watched[STORE_WATCHED][368]; /* the files that the profile reads most of */
};
static_assert(sizeof(struct store_state) == 2032, "on-disk layout");

enum store_event_kind {
    STORE_BOOSTED = 1, /* the profile was replayed */
    STORE_WARM = 2,    /* all was in memory */
    STORE_TIMED = 3,   /* a boosted start has ended */
    STORE_SEEN = 4,    /* has been counted: only its start is still to be known */
};

struct store_event {
    uint32_t kind;       /* enum store_event_kind */
    uint32_t us;         /* of STORE_TIMED */
    uint64_t start_hash; /* that the general profile stood in for; or 0 */
};
static_assert(sizeof(struct store_event) == 16, "on-disk layout");

/* NAME.log, as far as a start reads it: at once. */
struct store_log {
    struct store_state state;
    struct store_event events[STORE_EVENTS];
};

enum store_answer {
    STORE_NOTHING, /* there is no store, or this start is none for it */
    STORE_REPLAY,  /* the profile */
    STORE_RECORD,  /* this start is to be recorded; the profile is there or not */
};

/* NAME.trace: what a start has left that nobody watched; the tool makes the profile of it. */
#define STORE_TRACE ".trace"

/* What a store knows about a start. Too large for a stack, which may be tiny. */
struct store_entry {
    bool only_read; /* it is never written, nor made: set before store_look() */
    bool writable;
    bool is_general; /* the profile is the general one */
    bool is_open;    /* fd: the log, to which an event is to be added */
    bool is_full;    /* it may be written, but the tool has to count its events first */
    int fd;
    size_t event_count;
    uint64_t start_hash, executable_hash;
    char folder[STORE_PATH_BYTES];
    char name[STORE_NAME_BYTES];                           /* of this start, without a suffix */
    char general[STORE_NAME_BYTES];                        /* of all starts of the executable */
    char profile[STORE_PATH_BYTES + STORE_NAME_BYTES + 8]; /* "": there is none */
    struct store_log log; /* its state is all zero if there is none */
};

/*
 * The folder of COLDBOOST_STORE, in the buffer; by_default: otherwise root's /var/cache/coldboost,
 * or $XDG_CACHE_HOME/coldboost or ~/.cache/coldboost; else /opt/coldboost/store, which a layer
 * brings. NULL if there is none, or it is "off".
 */
const char *store_folder(char *const *envp, const char *variable, bool by_default,
                         char buffer[STORE_PATH_BYTES]);

/* Whether a program may have a store without by_default: it is named, or there is a layer's. */
bool store_is_there(const char *variable);

/*
 * Names the start of `executable` with these arguments, argv[0] not among them. script: the file
 * that the executable is the interpreter of, or NULL.
 */
void store_name(const char *executable, const char *script, char *const *arguments,
                struct store_entry *out);

/*
 * Looks for the named start in the folder of the entry. Leaves the log open, and shares its lock,
 * where an event can be added: store_note() or store_close() has to follow soon.
 */
enum store_answer store_look(struct store_entry *entry);
void store_close(struct store_entry *entry);

/*
 * Whether a start that store_look() wants recorded is to be, whatever has become of its files: it
 * has no profile, or one that was recorded only once or is old.
 */
bool store_is_due(const struct store_entry *entry);

/* Adds what has become of this start to the log that was found, and closes it. */
void store_note(struct store_entry *entry, enum store_event_kind kind);

/*
 * Whether it is worth knowing what this start takes, if it is boosted. store_note_time() opens the
 * log by its name again, for a process that has nothing open.
 */
bool store_is_timed(const struct store_entry *entry);
void store_note_time(struct store_entry *entry, uint64_t ns);

/*
 * Opens the folder, to open files in it, if it may be used by this user: a folder, no link but
 * root's for others, its owner is the user or root, nobody else may write to it, and it is on no
 * FUSE file system that this program is not on: such a server may never answer, and is not asked.
 * Returns -errno otherwise.
 */
int store_open(const char *folder, uint32_t user, bool *writable);

/*
 * Whether the path is on such a file system, by the list of mounts: some 50 microseconds where
 * there is a FUSE server. Symbolic links on the way are not known of.
 */
bool store_may_hang(const char *path);

/*
 * A file of the store by the same rules, opened; -errno. With O_APPEND its lock is shared: -EAGAIN
 * if somebody is replacing it, -ESTALE if it has been replaced meanwhile.
 */
int store_open_file(int folder, uint32_t user, const char *name, const char *suffix, int flags);

/* Whether bytes are a state that can be used, as far as it goes. */
bool store_state_is_good(const struct store_state *state, size_t bytes);
