/*
 * options.c: reads the COLDBOOST_* variables in one pass over the environment.
 *
 * Runs in the constructor, before libc may be ready: no getenv(), no allocation, no output.
 */
#include "start/options.h"

#include "base/line.h"
#include "base/sys.h"
#include "base/text.h"

#define FIELD(name) offsetof(struct options, name)

#define OPTION(name, kind, max, field, standard, help, ...)                                        \
    {name, OPTION_##kind, max, FIELD(field), {__VA_ARGS__}},
const struct option_row option_table[] = {
#include "start/options_table.h"
};
#undef OPTION
const size_t option_count = sizeof option_table / sizeof option_table[0];

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether the text, in any case, is one of the words, which stand one blank apart. */
static bool is_one_of(const char *text, const char *words)
{
    while (*words) {
        const char *at = text;
        while (*words && *words != ' ' && lower(*at) == *words)
            at++, words++;
        if (!*at && at != text && (!*words || *words == ' '))
            return true;
        while (*words && *words++ != ' ') {
        }
    }
    return false;
}

/* Digits; for bytes, a unit may follow: k, kB and KiB are all 1024. Returns false on anything else
 * and on overflow. */
static bool parse_number(const char *text, bool bytes, uint64_t *out)
{
    static const char *const units[] = {"b", "k kb kib", "m mb mib", "g gb gib"};
    uint64_t value;
    const char *at = text_number(text, &value);
    if (!at)
        return false;
    unsigned unit = 0;
    while (*at && bytes && unit < 4 && !is_one_of(at, units[unit]))
        unit++;
    if (*at && (!bytes || unit == 4))
        return false;
    if (value << 10 * unit >> 10 * unit != value)
        return false;
    *out = value << 10 * unit;
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
            if (is_one_of(text, option->choices[i])) {
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
    *out = (struct options){.enabled = SWITCH_AUTO,
                            .mode = OPTIONS_MODE_AUTO,
                            .crc32 = 1,
                            .budget_bytes = BUDGET_BY_MEMORY};
    for (; envp && *envp; envp++) {
        const char *name = text_after(*envp, "COLDBOOST");
        if (!name)
            continue;
        const struct option_row *row = option_table, *end = option_table + option_count;
        const char *value = NULL;
        while (row < end && (!(value = text_after(name, row->name)) || *value != '='))
            row++;
        if (row < end && !set_option(row, value + 1, out) && !out->not_understood)
            out->not_understood = *envp;
        else if (row == end && !out->others)
            out->others = envp;
    }
}

bool options_never_record(const struct options *options)
{
    return options->record && text_equal(options->record, OPTIONS_NEVER);
}

const char *options_other(const struct options *options, const char *name)
{
    return environment_get(options->others, name);
}

void options_complain(const struct options *options)
{
    if (!options->verbose || !options->not_understood)
        return;
    struct line line = {.length = 0};
    line_text(&line, "coldboost: ");
    line_text(&line, options->not_understood);
    line_text(&line, ": not understood; the default stands\n");
    sys_write(2, line.text, line.length);
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
