/*
 * status.c: coldboost status and coldboost forget: what a store holds, and dropping it.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "measure/openmetrics.h"
#include "profile/store_files.h"
#include "start/options.h"
#include "store/keep.h"
#include "store/store_traces.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char status_help[] =
    "Usage: coldboost status [--store FOLDER] [--json | --openmetrics]\n"
    "\n"
    "Lists the profiles that 'coldboost run' keeps: for each start how long ago its files were "
    "last\n"
    "known to be as recorded, how much a replay brings into memory, how many starts were recorded\n"
    "and how many boosted or warm since, what a cold start and a boosted one took, where both "
    "were\n"
    "seen, and whether its files have changed.\n"
    "\n"
    "  -s, --store=FOLDER  otherwise $COLDBOOST_STORE, root's /var/cache/coldboost, or\n"
    "                      $XDG_CACHE_HOME/coldboost or ~/.cache/coldboost\n"
    "      --json          for machines\n"
    "      --openmetrics   for Prometheus\n"
    "  -h, --help          print this and exit\n";

static const char forget_help[] =
    "Usage: coldboost forget [--store FOLDER] --all\n"
    "       coldboost forget [--store FOLDER] NAME…\n"
    "\n"
    "Drops profiles that 'coldboost run' keeps; the next start is recorded again. NAME is the "
    "first\n"
    "word of a start as 'coldboost status' prints it, such as python3 or app.py: every start with\n"
    "that word among its arguments, or whose program has that name, is dropped.\n"
    "\n"
    "  -a, --all           all of them\n"
    "  -s, --store=FOLDER  as for 'coldboost status'\n"
    "  -h, --help          print this and exit\n"
    "\n"
    "Exit status: 0; 1 if the store cannot be used; 2 for a wrong command line or a NAME that\n"
    "no start has.\n";

/* The store's path, for messages, and an open folder; -1 if there is no such folder. */
static int open_store(const char *named, const char **path)
{
    static char buffer[STORE_PATH_BYTES];
    struct options options;
    options_read(environ, &options);
    *path = named ? named : store_folder(environ, options.store, true, buffer);
    if (!*path)
        fail(EXIT_FAILED, "there is no store: neither COLDBOOST_STORE nor HOME names a folder");
    int folder = store_files_open(*path, false);
    if (folder < 0 && folder != -ENOENT)
        store_files_refuse(*path);
    return folder;
}

static struct store_item *list(const char *named, const char **path, int *folder, size_t *count)
{
    *folder = open_store(named, path);
    *count = 0;
    return *folder < 0 ? NULL : store_traces_list(*folder, store_files_list(*folder, count), count);
}

/* ---- status -----------------------------------------------------------------------------------
 */

struct profile_facts {
    uint64_t bytes; /* that it brings into memory */
    bool changed;
};

static struct profile_facts look_at_profile(int folder, const char *name)
{
    struct profile_facts facts = {0};
    struct profile profile;
    size_t size = 0;
    uint8_t *bytes = store_files_read(folder, name, ".cbp", PROFILE_MAX_BYTES, &size);
    if (bytes && profile_parse(bytes, size, &profile) == 0) {
        for (uint32_t i = 0; i < profile.header->range_count; i++)
            facts.bytes += (uint64_t)profile.ranges[i].page_count * PROFILE_PAGE_BYTES;
        facts.changed = keep_has_changed(&profile);
    }
    free(bytes);
    return facts;
}

/* "3 min" and the like. */
static const char *age_text(uint64_t since_ns, char text[32])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t now = (uint64_t)time(NULL), then = since_ns / 1000000000u;
    uint64_t age = now > then ? now - then : 0;
    size_t unit = 0;
    while (unit < 3 && age < 2 * units[unit].seconds)
        unit++;
    snprintf(text, 32, "%ju %s", (uintmax_t)(age / units[unit].seconds), units[unit].name);
    return text;
}

static const char *condition(const struct store_item *item, const struct profile_facts *facts)
{
    if (item->state.flags & STORE_UNFIT)
        return "cannot be recorded";
    if (item->waits)
        return "recorded; the next start makes the profile of it";
    if (facts->changed)
        return "its files have changed: recorded again next time";
    return item->state.flags & STORE_ONCE ? "recorded again next time" : "";
}

/* What a boosted start takes, where both were seen. */
static uint64_t boosted_us(const struct store_state *state)
{
    return state->recorded_us && state->timed ? state->timed_us / state->timed : 0;
}

static void print_times(const struct store_state *state)
{
    if (boosted_us(state))
        printf(" %8.0f%8.0f  ", state->recorded_us / 1e3, (double)boosted_us(state) / 1e3);
    else
        printf(" %16s  ", "");
}

static void print_table(const char *path, int folder, const struct store_item *items, size_t count)
{
    if (!count) {
        printf("%s holds no profile; 'coldboost run COMMAND' makes one\n", path);
        return;
    }
    printf("%8s %7s %8s %7s %6s %16s  %s\n", "age", "MiB", "recorded", "boosted", "warm",
           "cold, boosted ms", "start");
    for (size_t i = 0; i < count; i++) {
        const struct store_item *item = &items[i];
        struct profile_facts facts = look_at_profile(folder, item->name);
        char age[32];
        const char *remark = condition(item, &facts);
        printf("%8s %7.1f %8u %7u %6u", age_text(item->state.checked_ns, age),
               (double)facts.bytes / (1 << 20), item->state.recordings, item->state.boosted,
               item->state.warm);
        print_times(&item->state);
        print_escaped(stdout, item->state.start);
        printf("%s%s%s\n", *remark ? " (" : "", remark, *remark ? ")" : "");
    }
}

static void print_json(const char *path, int folder, const struct store_item *items, size_t count)
{
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_print(&out, "version 1");
    json_text(&out, "store", path);
    json_open(&out, "starts", '[');
    for (size_t i = 0; i < count; i++) {
        const struct store_item *item = &items[i];
        const struct store_state *state = &item->state;
        struct profile_facts facts = look_at_profile(folder, item->name);
        json_break_line(&out);
        json_open(&out, NULL, '{');
        json_text(&out, "name", item->name);
        json_text(&out, "start", state->start);
        json_print(&out, "recorded %u boosted %u warm %u bytes %ju checked %ju used %ju",
                   state->recordings, state->boosted, state->warm, (uintmax_t)facts.bytes,
                   (uintmax_t)(state->checked_ns / 1000000000u),
                   (uintmax_t)(item->used_ns / 1000000000u));
        if (boosted_us(state))
            json_print(&out, "cold_us %u boosted_us %ju timed %u", state->recorded_us,
                       (uintmax_t)boosted_us(state), state->timed);
        json_print(&out, "general %s fit %s changed %s waiting %s",
                   json_bool(state->flags & STORE_GENERAL),
                   json_bool(!(state->flags & STORE_UNFIT)), json_bool(facts.changed),
                   json_bool(item->waits));
        json_close(&out, "}");
    }
    json_close(&out, "]}\n");
}

/* What Prometheus is told of a start. */
enum figure { RECORDINGS, BOOSTED, WARM, BYTES, CHANGED, CHECKED, FIGURES };
static const struct {
    const char *name, *unit, *help_text;
} figures[FIGURES] = {
    [RECORDINGS] = {"coldboost_store_recordings", "", "Recordings that the profile is made of."},
    [BOOSTED] = {"coldboost_store_boosted", "", "Starts that replayed the profile."},
    [WARM] = {"coldboost_store_warm", "", "Starts that found all in memory."},
    [BYTES] = {"coldboost_store_bytes", "bytes", "What a replay brings into memory."},
    [CHANGED] = {"coldboost_store_changed", "", "1: its files have changed since."},
    [CHECKED] = {"coldboost_store_checked_timestamp_seconds", "seconds",
                 "When the files were last known to be as recorded."},
};

static void print_openmetrics(const char *path, int folder, const struct store_item *items,
                              size_t count)
{
    (void)path;
    double(*values)[FIGURES] = xmalloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        struct profile_facts facts = look_at_profile(folder, items[i].name);
        values[i][RECORDINGS] = items[i].state.recordings;
        values[i][BOOSTED] = items[i].state.boosted;
        values[i][WARM] = items[i].state.warm;
        values[i][BYTES] = (double)facts.bytes;
        values[i][CHANGED] = facts.changed;
        values[i][CHECKED] = (double)items[i].state.checked_ns / 1e9;
    }
    for (size_t f = 0; f < FIGURES; f++) {
        openmetrics_family(figures[f].name, "gauge", figures[f].unit, figures[f].help_text);
        for (size_t i = 0; i < count; i++)
            openmetrics_sample(figures[f].name, "",
                               LABELS("name", items[i].name, "start", items[i].state.start),
                               values[i][f]);
    }
    openmetrics_end();
    free(values);
}

int command_status(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"store", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"openmetrics", no_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *named = NULL, *path;
    void (*print)(const char *, int, const struct store_item *, size_t) = print_table;
    for (int c; (c = next_option(argc, argv, "s:h", long_options, status_help)) != -1;)
        if (c == 's')
            named = optarg;
        else
            print = c == 'j' ? print_json : print_openmetrics;
    if (optind != argc)
        fail_usage("status", "%s: it takes no argument", argv[optind]);
    int folder;
    size_t count;
    struct store_item *items = list(named, &path, &folder, &count);
    print(path, folder, items, count);
    store_items_free(items, count);
    return EXIT_SUCCESS;
}

/* ---- forget -----------------------------------------------------------------------------------
 */

static bool is_word(const char *word, size_t length, const char *name)
{
    const char *part = memrchr(word, '/', length);
    size_t skipped = part ? (size_t)(part + 1 - word) : 0;
    size_t name_length = strlen(name);
    return (length == name_length && memcmp(word, name, length) == 0) ||
           (length - skipped == name_length && memcmp(word + skipped, name, name_length) == 0);
}

static bool has_word(const char *start, const char *name)
{
    for (const char *at = start; *at;) {
        size_t length = strcspn(at, " ");
        if (is_word(at, length, name))
            return true;
        at += length + (at[length] == ' ');
    }
    return false;
}

int command_forget(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"all", no_argument, NULL, 'a'},
        {"store", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *named = NULL, *path;
    bool all = false;
    for (int c; (c = next_option(argc, argv, "as:h", long_options, forget_help)) != -1;)
        if (c == 's')
            named = optarg;
        else
            all = true;
    if (all == (optind < argc))
        fail_usage("forget", "it takes --all, or names of starts");
    int folder, code = EXIT_SUCCESS;
    size_t count;
    struct store_item *items = list(named, &path, &folder, &count);
    for (size_t i = 0; i < count && all; i++)
        store_files_remove(folder, items[i].name);
    for (int name = optind; name < argc; name++) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            if (has_word(items[i].state.start, argv[name])) {
                store_files_remove(folder, items[i].name);
                found = true;
            }
        if (!found) {
            warn("%s holds no start of '%s'; 'coldboost status' lists them", path, argv[name]);
            code = EXIT_USAGE;
        }
    }
    store_items_free(items, count);
    return code;
}
