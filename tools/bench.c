/*
 * bench.c: coldboost bench. Starts a command cold, boosted and warm, interleaved, and says what the
 * boost is worth.
 *
 * The machines it runs on are shared and noisy: every round runs every variant once, each cold one
 * right after the caches were dropped, and the figures are medians and ratios paired within a
 * round.
 */
#include "command.h"

#include "json.h"
#include "launch.h"
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROUNDS 7
#define MAX_ROUNDS     1000

static const char help[] =
    "Usage: coldboost bench [-p PROFILE] [-n N] [--json] [--] COMMAND [ARGUMENT]…\n"
    "\n"
    "Starts COMMAND again and again, from spawn to exit, with its input and output at\n"
    "/dev/null, in five variants, every variant once in each of N rounds:\n"
    "\n"
    "  cold          nothing of it in memory, as it is\n"
    "  LD_PRELOAD    the same with libcoldboost.so preloaded\n"
    "  coldboost run the same through 'coldboost run'\n"
    "  warm          everything in memory, as it is\n"
    "  warm+preload  the same with libcoldboost.so preloaded: what the boost costs\n"
    "\n"
    "As root, 'cold' means that the kernel's page cache, directory entries and inodes are\n"
    "dropped before each start. Otherwise exactly the profile's files are evicted (those that\n"
    "no other program has mapped), which is less cold than a cold machine.\n"
    "\n"
    "  -p, --profile=PROFILE  as for 'coldboost run'\n"
    "  -n, --rounds=N         1 to 1000, default 7\n"
    "      --json             one JSON document instead of the table\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Exit status: 0; 1 if COMMAND fails or cannot be measured; 2 for a wrong command line;\n"
    "126 or 127 if COMMAND cannot be executed or found.\n";

enum variant { COLD, PRELOAD, RUN, WARM, WARM_PRELOAD, VARIANT_COUNT };

static const struct {
    const char *name, *key;
    bool cold;
} variants[VARIANT_COUNT] = {
    [COLD] = {"cold", "cold", true},
    [PRELOAD] = {"LD_PRELOAD", "preload", true},
    [RUN] = {"coldboost run", "run", true},
    [WARM] = {"warm", "warm", false},
    [WARM_PRELOAD] = {"warm+preload", "warm_preload", false},
};

struct bench {
    struct program program;
    char **argv;
    char *profile; /* or NULL */
    uint8_t *profile_bytes;
    struct profile parsed;
    char *self, *object;
    bool drop_everything;
    int rounds;
    double *ms[VARIANT_COUNT]; /* [round] */
};

static void load_profile(struct bench *bench)
{
    size_t size;
    bench->profile_bytes = read_file(bench->profile, PROFILE_MAX_BYTES, &size);
    if (profile_parse(bench->profile_bytes, size, &bench->parsed) != 0)
        fail(EXIT_FAILED, "%s: not a usable profile; 'coldboost show' says why", bench->profile);
    if (!profile_find(&bench->parsed, bench->program.executable))
        fail(EXIT_FAILED, "%s knows nothing of %s; record it again with this command",
             bench->profile, bench->program.executable);
}

static bool drop_caches(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    bool dropped = fd >= 0 && write(fd, "3", 1) == 1;
    if (fd >= 0)
        close(fd);
    return dropped;
}

static void evict_profile(const struct bench *bench)
{
    for (uint32_t i = 0; i < bench->parsed.header->file_count; i++) {
        const char *path = bench->parsed.strings + bench->parsed.files[i].path;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0)
            continue;
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

static void make_cold(const struct bench *bench)
{
    if (bench->drop_everything)
        drop_caches();
    else
        evict_profile(bench);
}

/* This process's environment without our variables, then the variant's. The caller frees it. */
static char **variant_environment(const struct bench *bench, enum variant variant)
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **result = xmalloc((count + 3) * sizeof *result);
    bool boosted = variant != COLD && variant != WARM;
    const char *others = getenv("LD_PRELOAD");
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "COLDBOOST_PROFILE=", 18) != 0 &&
            !(boosted && strncmp(environ[i], "LD_PRELOAD=", 11) == 0))
            result[kept++] = environ[i];
    if (boosted && variant != RUN)
        result[kept++] = xasprintf("LD_PRELOAD=%s%s%s", bench->object, others && *others ? ":" : "",
                                   others ? others : "");
    if (boosted && bench->profile)
        result[kept++] = xasprintf("COLDBOOST_PROFILE=%s", bench->profile);
    result[kept] = NULL;
    return result;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Milliseconds from spawn to exit. */
static double run_once(const struct bench *bench, enum variant variant)
{
    static char run[] = "run", end_of_options[] = "--";
    size_t count = 0;
    while (bench->argv[count])
        count++;
    char **argv = xmalloc((count + 4) * sizeof *argv);
    size_t n = 0;
    if (variant == RUN) {
        argv[n++] = bench->self;
        argv[n++] = run;
        argv[n++] = end_of_options;
    }
    memcpy(argv + n, bench->argv, (count + 1) * sizeof *argv);
    char **envp = variant_environment(bench, variant);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);

    if (variants[variant].cold)
        make_cold(bench);
    pid_t child;
    int status;
    double begin = now_ms();
    int error = posix_spawn(&child, variant == RUN ? bench->self : bench->program.path, &actions,
                            NULL, argv, envp);
    if (error)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", bench->program.path, strerror(error));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    double ms = now_ms() - begin;
    posix_spawn_file_actions_destroy(&actions);
    free(envp);
    free(argv);
    if (status != 0)
        fail(EXIT_FAILED, "%s ended with %s %d (%s): nothing was measured", bench->argv[0],
             WIFEXITED(status) ? "exit status" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), variants[variant].name);
    return ms;
}

static void show_progress(int done, int total)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    if (!isatty(STDERR_FILENO))
        return;
    int filled = done * WIDTH / total;
    fprintf(stderr, "\r[%.*s%*s] %d/%d starts%s", filled, full, WIDTH - filled, "", done, total,
            done == total ? "\r\033[K" : "");
}

static void measure(struct bench *bench)
{
    run_once(bench, WARM); /* fails early, and finishes what a first start writes */
    sync();
    int done = 0, total = bench->rounds * VARIANT_COUNT;
    for (int round = 0; round < bench->rounds; round++) {
        for (int i = 0; i < VARIANT_COUNT; i++) {
            /* The cold ones change places from round to round. The warm ones follow any of them. */
            enum variant variant = i < WARM ? (enum variant)((i + round) % WARM)
                                            : (enum variant)(WARM + (i - WARM + round) % 2);
            show_progress(done++, total);
            bench->ms[variant][round] = run_once(bench, variant);
        }
    }
    show_progress(done, total);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The q-quantile, 0 to 1, of n values. */
static double quantile(const double *values, int n, double q)
{
    double *sorted = xmalloc((size_t)n * sizeof *sorted);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    double at = q * (n - 1);
    int below = (int)at, above = below + 1 < n ? below + 1 : below;
    double result = sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    free(sorted);
    return result;
}

/* The median over the rounds of a's time divided by b's in the same round. */
static double paired_ratio(const struct bench *bench, enum variant a, enum variant b)
{
    double *ratios = xmalloc((size_t)bench->rounds * sizeof *ratios);
    for (int i = 0; i < bench->rounds; i++)
        ratios[i] = bench->ms[a][i] / bench->ms[b][i];
    double result = quantile(ratios, bench->rounds, 0.5);
    free(ratios);
    return result;
}

static double median(const struct bench *bench, enum variant variant)
{
    return quantile(bench->ms[variant], bench->rounds, 0.5);
}

/* The share of the cold penalty, cold - warm, that a variant takes away. */
static double removed(const struct bench *bench, enum variant variant)
{
    double cold = median(bench, COLD);
    return (cold - median(bench, variant)) / (cold - median(bench, WARM));
}

static void print_table(const struct bench *bench)
{
    printf("%d rounds, interleaved; milliseconds from spawn to exit; cold: %s\n\n", bench->rounds,
           bench->drop_everything ? "page cache, directory entries and inodes dropped"
                                  : "the profile's files evicted (not root)");
    printf("  %-14s %8s %8s %8s   %-8s %s\n", "start", "median", "p10", "p90", "vs cold",
           "cold penalty removed");
    for (enum variant v = 0; v < VARIANT_COUNT; v++) {
        printf("  %-14s %8.1f %8.1f %8.1f   %+6.1f%%", variants[v].name, median(bench, v),
               quantile(bench->ms[v], bench->rounds, 0.1),
               quantile(bench->ms[v], bench->rounds, 0.9),
               100 * (paired_ratio(bench, v, COLD) - 1));
        if (v == PRELOAD || v == RUN)
            printf("  %3.0f%%", 100 * removed(bench, v));
        putchar('\n');
    }
    printf("\nPreloading makes a warm start %+.1f%% (paired median).\n",
           100 * (paired_ratio(bench, WARM_PRELOAD, WARM) - 1));
}

static void print_json(const struct bench *bench)
{
    printf("{\"version\":1,\"command\":[");
    for (char **argument = bench->argv; *argument; argument++) {
        fputs(argument == bench->argv ? "" : ",", stdout);
        print_json_string(stdout, *argument);
    }
    printf("],\"rounds\":%d,\"cold_by\":\"%s\",\"variants\":{", bench->rounds,
           bench->drop_everything ? "drop_caches" : "evicted_profile");
    for (enum variant v = 0; v < VARIANT_COUNT; v++) {
        printf("%s\"%s\":{\"median_ms\":%.3f,\"ratio_to_cold\":%.4f,\"ms\":[", v ? "," : "",
               variants[v].key, median(bench, v), paired_ratio(bench, v, COLD));
        for (int i = 0; i < bench->rounds; i++)
            printf("%s%.3f", i ? "," : "", bench->ms[v][i]);
        printf("]}");
    }
    printf("},\"penalty_removed\":{\"preload\":%.4f,\"run\":%.4f},\"warm_ratio\":%.4f}\n",
           removed(bench, PRELOAD), removed(bench, RUN), paired_ratio(bench, WARM_PRELOAD, WARM));
}

static int parse_rounds(const char *text)
{
    char *end;
    errno = 0;
    long rounds = strtol(text, &end, 10);
    if (errno || end == text || *end || rounds < 1 || rounds > MAX_ROUNDS)
        fail_usage("bench", "'%s' is not a number of rounds (1 to %d)", text, MAX_ROUNDS);
    return (int)rounds;
}

int command_bench(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"profile", required_argument, NULL, 'p'},
        {"rounds", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct bench bench = {.rounds = DEFAULT_ROUNDS};
    const char *named = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "+p:n:h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            named = optarg;
            break;
        case 'n':
            bench.rounds = parse_rounds(optarg);
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            print_help(help);
        default:
            fail_usage_hint("bench");
        }
    }
    if (optind == argc)
        fail_usage("bench", "no command given");

    bench.argv = argv + optind;
    bench.program = find_program(bench.argv[0]);
    if (bench.program.obstacle)
        fail(EXIT_CANNOT_EXECUTE, "%s", bench.program.obstacle);
    bench.profile = find_profile(named);
    if (bench.profile)
        load_profile(&bench);
    bench.drop_everything = drop_caches();
    if (!bench.drop_everything && !bench.profile)
        fail(EXIT_FAILED, "without root a profile is needed: only its files can be evicted; give "
                          "one with -p");
    bench.self = realpath("/proc/self/exe", NULL);
    bench.object = find_component("libcoldboost.so");
    for (int v = 0; v < VARIANT_COUNT; v++)
        bench.ms[v] = xmalloc((size_t)bench.rounds * sizeof *bench.ms[v]);

    measure(&bench);
    if (json)
        print_json(&bench);
    else
        print_table(&bench);
    if (fflush(stdout) != 0)
        fail(EXIT_FAILED, "cannot write: %s", strerror(errno));
    return EXIT_SUCCESS;
}
