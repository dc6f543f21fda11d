/*
 * store.h: a store is a folder of profiles, one for each start of a program.
 *
 * A start is an executable and its first argument that is not an option: a script, a jar, a
 * sub-command. Its name is computed from these, so that nothing has to be listed or searched. Two
 * files belong to it: NAME.cbp, the profile, and NAME.log, which says what is known about the start
 * (struct store_state) and grows by an event with each of them. A program whose argument never
 * repeats has one profile, "any", for all starts that have none of their own.
 *
 * Nothing here is trusted. Whoever may write to a store can only make us read in vain. Works
 * without libc: no output, no errno, nothing allocated, nothing left open.
 */
#ifndef CB_STORE_H
#define CB_STORE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PATH_BYTES 4096u
#define STORE_NAME_BYTES 128u
#define STORE_MAGIC      "CBSTORE1"
#define STORE_WATCHED    4u            /* files */
#define STORE_LOG_BYTES  (256u << 10)  /* no event is added beyond */
#define STORE_MAX_AGE_S  (30u * 86400) /* then a start is recorded again */

enum store_flags {
    STORE_ONCE = 1,    /* recorded once, with readahead in the way: the next start settles it */
    STORE_GENERAL = 2, /* the profile is of several starts of the executable, for all others */
    STORE_UNFIT = 4,   /* this start cannot be recorded: there is no profile */
};

/* The beginning of NAME.log; little-endian. Replaced as a whole. */
struct store_state {
    uint8_t magic[8];
    uint32_t flags;      /* enum store_flags */
    uint32_t recordings; /* that the profile is made of */
    uint64_t executable_hash;
    uint64_t recorded_ns; /* CLOCK_REALTIME; 0: there is no profile */
    uint64_t checked_ns;  /* until then none of the files had changed */
    uint64_t start_hash;
    char start[512];                  /* for people: what was started */
    char watched[STORE_WATCHED][368]; /* the files that the profile reads most of */
};
static_assert(sizeof(struct store_state) == 2032, "on-disk layout");

enum store_event_kind {
    STORE_BOOSTED = 1, /* the profile was replayed */
    STORE_SEEN = 2,    /* the general profile was replayed, for a start with this hash */
};

struct store_event {
    uint32_t kind; /* enum store_event_kind */
    uint32_t reserved;
    uint64_t start_hash; /* or 0 */
};
static_assert(sizeof(struct store_event) == 16, "on-disk layout");

enum store_answer {
    STORE_NOTHING, /* there is no store, or this start is none for it */
    STORE_REPLAY,  /* the profile */
    STORE_RECORD,  /* this start is to be recorded; the profile is there or not */
};

/* What a store knows about a start. */
struct store_entry {
    char folder[STORE_PATH_BYTES];
    char name[STORE_NAME_BYTES];    /* of this start, without a suffix */
    char general[STORE_NAME_BYTES]; /* of all starts of the executable */
    uint64_t start_hash;
    char profile[STORE_PATH_BYTES + STORE_NAME_BYTES + 8]; /* "": there is none */
    bool writable;
    bool is_general;          /* the profile is the general one */
    struct store_state state; /* all zero if there is none */
};

/*
 * The folder of COLDBOOST_STORE, in the buffer; by_default: otherwise root's /var/cache/coldboost,
 * or $XDG_CACHE_HOME/coldboost or ~/.cache/coldboost. NULL if there is none, or it is "off".
 */
const char *store_folder(char *const *envp, const char *variable, bool by_default,
                         char buffer[STORE_PATH_BYTES]);

/*
 * Names the start of `executable` with these arguments, argv[0] not among them. script: the file
 * that the executable is the interpreter of, or NULL.
 */
void store_name(const char *executable, const char *script, char *const *arguments,
                struct store_entry *out);

/* Looks for the named start in the folder of the entry. */
enum store_answer store_look(struct store_entry *entry);

/* Adds to the log of the profile that was found, if it is not too long, that it is replayed. */
void store_add_replay(const struct store_entry *entry);

/*
 * Whether the folder may be used: a folder, no link but root's for others, its owner is the caller
 * or root, and nobody else may write to it. Then fd is left open; otherwise it is -errno.
 */
bool store_open(const char *folder, int *fd, bool *writable);

/* A file of the store by the same rules, opened; -errno. */
int store_open_file(int folder, const char *name, const char *suffix, int flags);

/* Whether bytes are a state that can be used, as far as it goes. */
bool store_state_is_good(const struct store_state *state, size_t bytes);

#endif
