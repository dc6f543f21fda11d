/*
 * options.h: the COLDBOOST_* environment variables; options_table.h has a row for each of a user's.
 */
#ifndef CB_OPTIONS_H
#define CB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_switch { SWITCH_OFF, SWITCH_AUTO, SWITCH_FORCE };
/* Where a replay runs: beside the program in a process of its own or in a thread of it, or before
 * the program goes on. */
enum option_mode { MODE_PROCESS, MODE_THREAD, MODE_SYNC };

struct options {
    uint32_t enabled;      /* enum option_switch */
    uint32_t mode;         /* enum option_mode */
    uint32_t crc32;        /* 1: our crc32 may answer for zlib's */
    uint32_t verbose;      /* 1: one line to stderr */
    uint32_t workers;      /* replay threads; 0: the default */
    uint32_t holdout;      /* per cent of starts left unboosted */
    uint64_t budget_bytes; /* BUDGET_BY_MEMORY if none is set */
    const char *telemetry; /* NULL: none; "emf"; or a file */
    const char *profile;   /* NULL: the default places */
    const char *cpu;       /* feature names that may be used; NULL: all */
    const char *record;    /* NULL: nothing is recorded; "log"; or a file for the profile */
    const char *started;   /* what coldboost run has settled for this process: see admission.h */
    const char *not_understood; /* the first variable that is not; NULL: all are */
};

#define BUDGET_BY_MEMORY UINT64_MAX

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

/* The value of an environment variable, or NULL. Unlike getenv() it works before libc is ready. */
const char *environment_get(char *const *envp, const char *name);

#endif
