/*
 * options.h: the COLDBOOST_* environment variables; options_table.h has a row for each of a user's.
 */
#pragma once

#include "replay/budget.h"
#include "replay/replay.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* MODE_PROCESS, but for a few files. */
#define OPTIONS_MODE_AUTO (MODE_SYNC + 1)

enum option_switch { SWITCH_OFF, SWITCH_AUTO, SWITCH_FORCE };

struct options {
    uint32_t enabled;           /* enum option_switch */
    uint32_t mode;              /* enum replay_mode, or OPTIONS_MODE_AUTO */
    uint32_t crc32;             /* 1: our crc32 may answer for zlib's */
    uint32_t verbose;           /* 1: one line to stderr */
    uint32_t workers;           /* replay threads; 0: the default */
    uint32_t holdout;           /* per cent of starts left unboosted */
    uint64_t budget_bytes;      /* BUDGET_BY_MEMORY if none is set */
    const char *telemetry;      /* NULL: none; "emf"; or a file */
    const char *profile;        /* NULL: the default places */
    const char *store;          /* NULL: the default, if there is one */
    const char *record;         /* NULL: nothing is recorded; "log"; or a file for the profile */
    const char *not_understood; /* the first variable that is not; NULL: all are */
    char *const *others; /* from the first COLDBOOST… variable on that is no option; or NULL */
};

enum option_kind { OPTION_CHOICE, OPTION_NUMBER, OPTION_BYTES, OPTION_TEXT };

struct option_row {
    const char *name; /* behind "COLDBOOST" */
    enum option_kind kind;
    uint32_t max;           /* of a number */
    size_t offset;          /* of its field in struct options */
    const char *choices[4]; /* of a choice; its value is the index; other spellings behind blanks */
};

extern const struct option_row option_table[];
extern const size_t option_count;

/*
 * Reads all options from an environment block. Never fails: where a value cannot be understood, the
 * default stands. Text points into the block. Thread- and signal-safe.
 */
void options_read(char *const *envp, struct options *out);

/* With COLDBOOST_VERBOSE, says on stderr which value could not be understood. Signal-safe. */
void options_complain(const struct options *options);

/* Whether nothing is to be recorded, whatever the store says: `record` is this. */
#define OPTIONS_NEVER "never"
bool options_never_record(const struct options *options);

/* The value of a variable COLDBOOST… that is no option, or NULL: of those that only coldboost
 * itself and tests set. */
const char *options_other(const struct options *options, const char *name);

/* The value of an environment variable, or NULL. Unlike getenv() it works before libc is ready. */
const char *environment_get(char *const *envp, const char *name);
