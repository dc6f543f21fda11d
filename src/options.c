/*
 * options.c: reads the COLDBOOST_* variables in one pass over the environment.
 *
 * Runs in the constructor, before libc may be ready: no getenv(), no allocation, no output.
 */
#include "options.h"

#include "text.h"

#define FIELD(name) offsetof(struct options, name)

const struct option_row option_table[] = {
    {"",
     OPTION_CHOICE,
     0,
     FIELD(enabled),
     {"off", "auto", "force"},
     "auto",
     "off: do nothing at all; auto: replay when the files are not in memory; force: replay always"},
    {"_PROFILE",
     OPTION_TEXT,
     0,
     FIELD(profile),
     {NULL},
     "$LAMBDA_TASK_ROOT/coldboost.cbp, then /opt/coldboost/profile.cbp",
     "profile file"},
    {"_MODE",
     OPTION_CHOICE,
     0,
     FIELD(mode),
     {"thread", "fork", "sync"},
     "thread",
     "where the replay runs: a thread, a process of its own, or before the program goes on"},
    {"_BUDGET",
     OPTION_BYTES,
     0,
     FIELD(budget_bytes),
     {NULL},
     "by memory size",
     "bytes that may be paged in, with K, M or G"},
    {"_WORKERS",
     OPTION_NUMBER,
     16,
     FIELD(workers),
     {NULL},
     "8; 16 where storage is slow",
     "replay threads, 1 to 16"},
    {"_TELEMETRY",
     OPTION_TEXT,
     0,
     FIELD(telemetry),
     {NULL},
     "none",
     "file that each start appends a record to; emf: one CloudWatch line on stderr instead"},
    {"_HOLDOUT",
     OPTION_NUMBER,
     100,
     FIELD(holdout),
     {NULL},
     "0",
     "per cent of starts left unboosted, for a comparison in production"},
    {"_CRC32",
     OPTION_CHOICE,
     0,
     FIELD(crc32),
     {"off", "on"},
     "on",
     "whether crc32 and crc32_z may answer for zlib"},
    {"_CPU",
     OPTION_TEXT,
     0,
     FIELD(cpu),
     {NULL},
     "all",
     "CPU features that may be used, comma-separated; for tests"},
    {"_VERBOSE",
     OPTION_NUMBER,
     1,
     FIELD(verbose),
     {NULL},
     "0",
     "1: one line to stderr at the end of the replay"},
    {"_RECORD",
     OPTION_TEXT,
     0,
     FIELD(record),
     {NULL},
     "none",
     "coldboost-wrapper records the start: file for the profile; log: lines on stderr"},
    {"_STARTED",
     OPTION_TEXT,
     0,
     FIELD(started),
     {NULL},
     "none",
     "set by coldboost run and coldboost-wrapper: the process they replay for"},
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

/* Digits, then for bytes an optional K, M or G. Returns false on anything else and on overflow. */
static bool parse_number(const char *text, bool bytes, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    if (at == text)
        return false;
    unsigned shift = 0;
    if (bytes && *at)
        shift = *at == 'K' ? 10 : *at == 'M' ? 20 : *at == 'G' ? 30 : 0;
    if (shift)
        at++;
    if (*at || value << shift >> shift != value)
        return false;
    *out = value << shift;
    return true;
}

static bool set_option(const struct option_row *option, const char *text, struct options *out)
{
    void *field = (char *)out + option->offset;
    uint64_t number;
    switch (option->kind) {
    case OPTION_TEXT:
        *(const char **)field = *text ? text : NULL;
        return true;
    case OPTION_CHOICE:
        for (uint32_t i = 0; i < 4 && option->choices[i]; i++)
            if (text_equal(text, option->choices[i])) {
                *(uint32_t *)field = i;
                return true;
            }
        return false;
    case OPTION_NUMBER:
        if (!parse_number(text, false, &number) || number > option->max)
            return false;
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case OPTION_BYTES:
        return parse_number(text, true, (uint64_t *)field);
    }
    return false;
}

void options_read(char *const *envp, struct options *out)
{
    *out = (struct options){.enabled = SWITCH_AUTO, .mode = MODE_THREAD, .crc32 = 1};
    for (; envp && *envp; envp++) {
        const char *name = text_after(*envp, "COLDBOOST");
        if (!name)
            continue;
        for (size_t i = 0; i < option_count; i++) {
            const char *value = text_after(name, option_table[i].name);
            if (value && *value == '=') {
                if (!set_option(&option_table[i], value + 1, out))
                    out->invalid++;
                break;
            }
        }
    }
}

const char *environment_get(char *const *envp, const char *name)
{
    for (; envp && *envp; envp++) {
        const char *value = text_after(*envp, name);
        if (value && *value == '=')
            return value + 1;
    }
    return NULL;
}
