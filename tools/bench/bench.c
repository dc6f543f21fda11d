/*
 * bench.c: coldboost bench. Starts a command cold, boosted and warm, interleaved, and says what the
 * boost is worth.
 *
 * The machines it runs on are shared and noisy: every round runs every variant once, each cold one
 * right after the caches were dropped, and the figures are medians and ratios paired within a
 * round, each with an interval. Beside them stand the two limits of any boost, measured in the same
 * rounds: how fast the device gives the profile's pages, and when LD_PRELOAD gets control at all.
 */
#include "bench/bench.h"

#include "base/text.h"
#include "cli/command.h"
#include "plot/plot.h"
#include "start/become.h"
#include "start/launch.h"
#include "start/obstacle.h"
#include "store/keep.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_ROUNDS 7
#define MAX_ROUNDS     1000

static const char help[] =
    "Usage: coldboost bench [-p PROFILE] [-n N] [-i] [--until WHAT] [--json]\n"
    "                       [--plot FILE.svg] [--] COMMAND [ARGUMENT]…\n"
    "\n"
    "Starts COMMAND again and again, from spawn to exit, with its input and output at\n"
    "/dev/null, in six variants, every variant once in each of N rounds:\n"
    "\n"
    "  cold          nothing of it in memory, as it is\n"
    "  coldboost run the same through 'coldboost run'\n"
    "  LD_PRELOAD    the same with libcoldboost.so preloaded\n"
    "  LD_AUDIT      the same with libcoldboost.so as an auditor, which glibc loads before all\n"
    "                libraries of COMMAND\n"
    "  warm          everything in memory, as it is\n"
    "  warm+preload  the same with libcoldboost.so preloaded: what the boost costs\n"
    "\n"
    "Two limits stand beside them: the time until LD_PRELOAD gets control, and with a profile\n"
    "the I/O floor, which is what reading its pages takes when many threads do nothing else.\n"
    "The efficiency is the share of what there is to win that was won:\n"
    "(cold - boosted) / (cold - max(warm, I/O floor)). Each interval holds its figure with\n"
    "95 %. The last line says in which way COMMAND is best started, and how. What needs\n"
    "libcoldboost.so in COMMAND is left out where the loader does not load it, as in a static\n"
    "program, and LD_AUDIT also where it does nothing (without a profile, or for a program of\n"
    "musl), and where COMMAND does not start with it ('coldboost inspect --audit').\n"
    "\n"
    "As root, 'cold' means that the kernel's page cache, directory entries and inodes are\n"
    "dropped before each start. Otherwise exactly the profile's files are evicted (those that\n"
    "no other program has mapped), which is less cold than a cold machine.\n"
    "\n"
    "  -p, --profile=PROFILE  as for 'coldboost run', or what its store has for COMMAND\n"
    "  -n, --rounds=N         1 to 1000, default 7\n"
    "  -i, --ignore-failure   COMMAND may fail, in the same way at each start\n"
    "      --until exit       measure until COMMAND ends; the default\n"
    "      --until port=N     for servers: until a connection to this TCP port of 127.0.0.1 or\n"
    "                         ::1 succeeds. COMMAND then gets SIGTERM, and ten seconds to end\n"
    "      --until line=TEXT  until TEXT is in its output or on its standard error\n"
    "      --until ready      until COMMAND asks the Lambda runtime interface, which is a port\n"
    "                         of bench's own, for its first invocation\n"
    "      --json             one JSON document instead of the table\n"
    "      --plot=FILE.svg    also draw the starts as bars, and which file was paged in when in\n"
    "                         two more starts (as root, with a profile)\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Exit status: 0; 1 if COMMAND fails or cannot be measured; 2 for a wrong command line;\n"
    "126 or 127 if COMMAND cannot be executed or found.\n";

static void load_profile(struct bench *bench)
{
    const char *path = bench->result.profile;
    size_t size;
    bench->profile_bytes = read_file(path, PROFILE_MAX_BYTES, &size);
    if (profile_parse(bench->profile_bytes, size, &bench->parsed) != 0)
        fail(EXIT_FAILED, "%s: not a usable profile; 'coldboost show' says why", path);
    bench->section = profile_find(&bench->parsed, bench->program.executable);
    if (!bench->section)
        fail(EXIT_FAILED, "%s knows nothing of %s; record it again with this command", path,
             bench->program.executable);
    bench->result.files = identity_count(&bench->parsed, bench->section);
    bench->floor = io_floor_new(&bench->parsed, bench->section);
}

/* Two more starts, which nobody times. */
static void draw(const struct bench *bench, const char *path)
{
    static const enum bench_step starts[] = {COLD, RUN};
    struct timeline timelines[2];
    for (size_t i = 0; i < 2 && bench->section; i++) {
        struct timeline_watch *watch = timeline_watch_new(&bench->parsed, bench->section);
        bench_time_start(bench, starts[i], watch);
        timelines[i] = timeline_end(watch);
    }
    plot_bench(path, &bench->result, &bench->parsed, bench->section ? timelines : NULL);
    for (size_t i = 0; i < 2 && bench->section; i++)
        timeline_free(&timelines[i]);
}

/* What coldboost run has recorded of this start, or NULL. */
static char *find_kept_profile(const struct program *program, char *const *command)
{
    static struct store_entry entry;
    if (!keep_find(program, command, &entry))
        return NULL;
    store_look(&entry);
    store_close(&entry);
    return *entry.profile ? xstrdup(entry.profile) : NULL;
}

static void print_table(const struct bench_result *result)
{
    char *changes = identity_text(&result->files);
    if (changes) {
        print_escaped(stdout, result->profile);
        printf(": %s\n", changes);
    }
    free(changes);
    bench_print_table(result);
}

static void parse_until(struct bench *bench, const char *words)
{
    struct until *until = &bench->until;
    if (!until_parse(words, until) || until->kind == UNTIL_LISTEN || until->kind == UNTIL_SECONDS)
        fail_usage("bench", "--until %s: exit, ready, port=NUMBER or line=TEXT is needed", words);
    bench->result.until = until->kind == UNTIL_EXIT ? NULL : words;
}

static size_t parse_rounds(const char *text)
{
    uint64_t rounds;
    if (!text_is_number(text, 1, MAX_ROUNDS, &rounds))
        fail_usage("bench", "'%s' is not a number of rounds (1 to %d)", text, MAX_ROUNDS);
    return rounds;
}

int command_bench(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"profile", required_argument, NULL, 'p'},  {"rounds", required_argument, NULL, 'n'},
        {"ignore-failure", no_argument, NULL, 'i'}, {"until", required_argument, NULL, 'u'},
        {"json", no_argument, NULL, 'j'},           {"plot", required_argument, NULL, 'P'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    struct bench bench = {.result.rounds = DEFAULT_ROUNDS, .listener = -1};
    const char *named = NULL, *plot = NULL;
    bool json = false;
    for (int c; (c = next_option(argc, argv, "+p:n:ih", long_options, help)) != -1;) {
        switch (c) {
        case 'p':
            named = optarg;
            break;
        case 'n':
            bench.result.rounds = parse_rounds(optarg);
            break;
        case 'i':
            bench.ignore_failure = true;
            break;
        case 'u':
            parse_until(&bench, optarg);
            break;
        case 'j':
            json = true;
            break;
        case 'P':
            plot = optarg;
            break;
        }
    }
    if (optind == argc)
        fail_usage("bench", "no command given");

    if (plot)
        plot_check(plot);
    struct bench_result *result = &bench.result;
    result->command = argv + optind;
    find_program(result->command[0], &bench.program);
    if (bench.program.is_text) {
        become_insert_shell(xstrdup(bench.program.path), result->command--);
        snprintf(bench.program.path, sizeof bench.program.path, "%s", result->command[0]);
    }
    result->profile = find_profile(named);
    if (!result->profile)
        result->profile = find_kept_profile(&bench.program, result->command);
    if (result->profile)
        load_profile(&bench);
    if (bench.until.kind == UNTIL_READY)
        bench_listen(&bench);
    bench_prepare(&bench);
    if (!result->dropped_everything && !result->profile)
        fail(EXIT_FAILED, "without root a profile is needed: only its files can be evicted; give "
                          "one with -p");
    bench.self = find_component("coldboost");
    result->object = find_component("libcoldboost.so");

    bench_measure(&bench);
    bench_estimate(result);
    if (plot)
        draw(&bench, plot);
    if (json)
        bench_print_json(result);
    else
        print_table(result);
    return EXIT_SUCCESS;
}
