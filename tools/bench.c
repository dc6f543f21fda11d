/*
 * bench.c: coldboost bench. Starts a command cold, boosted and warm, interleaved, and says what the
 * boost is worth.
 *
 * The machines it runs on are shared and noisy: every round runs every variant once, each cold one
 * right after the caches were dropped, and the figures are medians and ratios paired within a
 * round, each with an interval. Beside them stand the two limits of any boost, measured in the same
 * rounds: how fast the device gives the profile's pages, and when LD_PRELOAD gets control at all.
 */
#include "bench.h"

#include "command.h"
#include "inspect_elf.h"
#include "io_floor.h"
#include "json.h"
#include "launch.h"
#include "plot.h"
#include "profile.h"
#include "timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROUNDS 7
#define MAX_ROUNDS     1000

static const char help[] =
    "Usage: coldboost bench [-p PROFILE] [-n N] [--json] [--plot FILE.svg] [--] COMMAND "
    "[ARGUMENT]…\n"
    "\n"
    "Starts COMMAND again and again, from spawn to exit, with its input and output at\n"
    "/dev/null, in six variants, every variant once in each of N rounds:\n"
    "\n"
    "  cold          nothing of it in memory, as it is\n"
    "  LD_PRELOAD    the same with libcoldboost.so preloaded\n"
    "  LD_AUDIT      the same with libcoldboost.so as an auditor, which glibc loads before all\n"
    "                libraries of COMMAND\n"
    "  coldboost run the same through 'coldboost run'\n"
    "  warm          everything in memory, as it is\n"
    "  warm+preload  the same with libcoldboost.so preloaded: what the boost costs\n"
    "\n"
    "With a profile also the I/O floor, which is what reading its pages takes when many\n"
    "threads do nothing else, and in any case the time until LD_PRELOAD gets control. The\n"
    "efficiency is the share of what there is to win that was won:\n"
    "(cold - boosted) / (cold - max(warm, I/O floor)). Intervals hold a figure with 95 %.\n"
    "The last line says in which way COMMAND is best started, and how. LD_AUDIT is left out\n"
    "where it does nothing (without a profile, or for a program of musl), and where COMMAND\n"
    "fails with it.\n"
    "\n"
    "As root, 'cold' means that the kernel's page cache, directory entries and inodes are\n"
    "dropped before each start. Otherwise exactly the profile's files are evicted (those that\n"
    "no other program has mapped), which is less cold than a cold machine.\n"
    "\n"
    "  -p, --profile=PROFILE  as for 'coldboost run'\n"
    "  -n, --rounds=N         1 to 1000, default 7\n"
    "      --json             one JSON document instead of the table\n"
    "      --plot=FILE.svg    also draw the starts as bars, and which file was paged in when in\n"
    "                         two more starts (as root, with a profile)\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Exit status: 0; 1 if COMMAND fails or cannot be measured; 2 for a wrong command line;\n"
    "126 or 127 if COMMAND cannot be executed or found.\n";

struct bench {
    struct program program;
    uint8_t *profile_bytes;
    struct profile parsed;
    const struct profile_executable *section;
    struct io_floor *floor; /* NULL without a profile */
    char *self;
    struct bench_result result;
};

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
    if (bench->result.dropped_everything)
        drop_caches();
    else
        evict_profile(bench);
}

/*
 * This process's environment without our variables, then the step's. The caller frees it. Strings
 * that are its own leak: there are few.
 */
static char **step_environment(const struct bench *bench, enum bench_step step)
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **result = xmalloc((count + 4) * sizeof *result);
    const char *variable = bench_kind(step)->variable;
    const char *others = variable ? getenv(variable) : NULL;
    size_t length = variable ? strlen(variable) : 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "COLDBOOST_PROFILE=", 18) != 0 &&
            !(variable && strncmp(environ[i], variable, length) == 0 && environ[i][length] == '='))
            result[kept++] = environ[i];
    if (variable)
        result[kept++] = xasprintf("%s=%s%s%s", variable, bench->result.object,
                                   others && *others ? ":" : "", others ? others : "");
    if ((variable || step == RUN) && bench->result.profile)
        result[kept++] = xasprintf("COLDBOOST_PROFILE=%s", bench->result.profile);
    result[kept] = NULL;
    return result;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The start that is under way, for end_by_signal(). */
static volatile pid_t running;

/* What was asked to end ends with what it started. Nothing else needs to be put back. */
static void end_by_signal(int number)
{
    if (running > 0)
        kill(running, SIGTERM);
    signal(number, SIG_DFL);
    raise(number);
}

/* Waits for a start to end. NULL, or how it ended if not well. */
static char *await(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    running = 0;
    if (status == 0)
        return NULL;
    return xasprintf("ended with %s %d", WIFEXITED(status) ? "exit status" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void expect_success(const struct bench *bench, enum bench_step step, const char *end)
{
    if (end)
        fail(EXIT_FAILED, "%s %s (%s): nothing was measured", bench->result.command[0], end,
             bench_kind(step)->name);
}

/*
 * Starts the program; *ms: from spawn to exit. NULL, or how it ended if not well. The watch, if
 * there is one, begins when all is cold.
 */
static char *start_program(const struct bench *bench, enum bench_step variant,
                           struct timeline_watch *watch, double *ms)
{
    static char run[] = "run", end_of_options[] = "--";
    char *const *command = bench->result.command;
    size_t count = 0;
    while (command[count])
        count++;
    char **argv = xmalloc((count + 4) * sizeof *argv);
    size_t n = 0;
    if (variant == RUN) {
        argv[n++] = bench->self;
        argv[n++] = run;
        argv[n++] = end_of_options;
    }
    memcpy(argv + n, command, (count + 1) * sizeof *argv);
    char **envp = step_environment(bench, variant);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);

    if (bench_kind(variant)->cold)
        make_cold(bench);
    if (watch)
        timeline_begin(watch);
    pid_t child;
    double begin = now_ms();
    int error = posix_spawn(&child, variant == RUN ? bench->self : bench->program.path, &actions,
                            NULL, argv, envp);
    if (error)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", bench->program.path, strerror(error));
    running = child;
    char *end = await(child);
    *ms = now_ms() - begin;
    posix_spawn_file_actions_destroy(&actions);
    free(envp);
    free(argv);
    return end;
}

static double time_start(const struct bench *bench, enum bench_step variant,
                         struct timeline_watch *watch)
{
    double ms;
    expect_success(bench, variant, start_program(bench, variant, watch, &ms));
    return ms;
}

/* Becomes the program with a constructor that takes us for `coldboost run`: it reports and leaves.
 */
static _Noreturn void become_probed(const struct bench *bench, char **envp, int report)
{
    char started[40], verbose[] = "COLDBOOST_VERBOSE=1", enabled[] = "COLDBOOST=auto";
    snprintf(started, sizeof started, "COLDBOOST_STARTED=%ld", (long)getpid());
    char *ours[] = {started, verbose, enabled};
    size_t count = 0, kept = 0;
    for (; envp[count]; count++)
        if (strncmp(envp[count], "COLDBOOST", 9) != 0)
            envp[kept++] = envp[count];
    char **all = xrealloc(envp, (kept + 4) * sizeof *all);
    memcpy(all + kept, ours, sizeof ours);
    all[kept + 3] = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(report, 2) == 2)
        execve(bench->program.path, bench->result.command, all);
    _exit(EXIT_CANNOT_EXECUTE);
}

/*
 * Milliseconds from spawn until the constructor's report arrives; NAN if none does. Then the
 * program goes on as in any cold start, and its messages are read and thrown away.
 */
static double time_constructor(const struct bench *bench)
{
    static const char expected[] = "coldboost: ";
    char text[4096];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    char **envp = step_environment(bench, CONSTRUCTOR);
    make_cold(bench);
    double begin = now_ms();
    pid_t child = fork();
    if (child < 0)
        fail(EXIT_FAILED, "fork: %s", strerror(errno));
    if (child == 0)
        become_probed(bench, envp, ends[1]);
    running = child;
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text);
    double ms = now_ms() - begin;
    if (n < (ssize_t)sizeof expected || memcmp(text, expected, sizeof expected - 1) != 0)
        ms = NAN;
    /* Until it ends, not until the pipe closes: what it leaves running may hold that open. */
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd wait[] = {{.fd = ends[0], .events = POLLIN}, {.fd = process, .events = POLLIN}};
    while (n > 0 && poll(wait, 2, -1) > 0 && !wait[1].revents)
        n = read(ends[0], text, sizeof text);
    expect_success(bench, CONSTRUCTOR, await(child));
    if (process >= 0)
        close(process);
    close(ends[0]);
    free(envp);
    return ms;
}

static double time_io_floor(const struct bench *bench)
{
    make_cold(bench);
    double begin = now_ms();
    io_floor_read(bench->floor);
    return now_ms() - begin;
}

static double time_step(const struct bench *bench, enum bench_step step)
{
    return step == CONSTRUCTOR ? time_constructor(bench)
           : step == IO_FLOOR  ? time_io_floor(bench)
                               : time_start(bench, step, NULL);
}

static void show_progress(size_t done, size_t total)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    if (!isatty(STDERR_FILENO))
        return;
    int filled = (int)(done * WIDTH / total);
    fprintf(stderr, "\r[%.*s%*s] %zu/%zu starts%s", filled, full, WIDTH - filled, "", done, total,
            done == total ? "\r\033[K" : "");
}

static bool is_of_musl(const char *executable)
{
    struct elf_facts facts;
    int fd = open(executable, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool found = !elf_facts_read(fd, &facts) && strcmp(elf_facts_libc(&facts), "musl") == 0;
    elf_facts_release(&facts);
    close(fd);
    return found;
}

/*
 * Why there is nothing to measure of an auditor, or NULL. Starts the program, which may not bear
 * one: glibc then keeps less room for thread-local data.
 */
static const char *find_audit_obstacle(const struct bench *bench)
{
    double ms;
    if (!bench->result.profile)
        return "it does nothing without a profile";
    if (is_of_musl(bench->program.executable))
        return "musl's loader ignores it";
    char *end = start_program(bench, AUDIT, NULL, &ms);
    char *obstacle = end ? xasprintf("with it %s %s", bench->result.command[0], end) : NULL;
    free(end);
    return obstacle;
}

static void measure(struct bench *bench)
{
    struct bench_result *result = &bench->result;
    time_start(bench, WARM, NULL); /* fails early, and finishes what a first start writes */
    result->audit_obstacle = find_audit_obstacle(bench);
    sync();
    enum bench_step cold[STEP_COUNT] = {COLD}, warm[STEP_COUNT] = {COLD};
    size_t cold_count = 0, warm_count = 0;
    for (enum bench_step step = 0; step < STEP_COUNT; step++) {
        if ((step == IO_FLOOR && !bench->floor) || (step == AUDIT && result->audit_obstacle))
            continue;
        result->ms[step] = xmalloc(result->rounds * sizeof *result->ms[step]);
        if (!bench_kind(step)->cold)
            warm[warm_count++] = step;
        else if (step != IO_FLOOR)
            cold[cold_count++] = step;
    }
    /* The cold ones change places from round to round, and so do the warm ones after them. The I/O
     * floor is never the last of the cold ones: it leaves less in memory than a start does. */
    size_t done = 0, total = result->rounds * (cold_count + warm_count + (bench->floor ? 1 : 0));
    for (size_t round = 0; round < result->rounds; round++) {
        enum bench_step order[STEP_COUNT];
        size_t n = 0;
        for (size_t i = 0; i < cold_count; i++) {
            if (bench->floor && i == round % cold_count)
                order[n++] = IO_FLOOR;
            order[n++] = cold[(i + round) % cold_count];
        }
        for (size_t i = 0; i < warm_count; i++)
            order[n++] = warm[(i + round) % warm_count];
        for (size_t i = 0; i < n; i++) {
            show_progress(done++, total);
            result->ms[order[i]][round] = time_step(bench, order[i]);
        }
    }
    show_progress(done, total);
}

/* Two more starts, which nobody times. */
static void draw(const struct bench *bench, const struct plotter *plotter, const char *path)
{
    if (!bench->result.profile) {
        plotter->bench(path, &bench->result, NULL, NULL);
        return;
    }
    struct timeline_watch *watch = timeline_watch_new(&bench->parsed, bench->section);
    struct timeline timelines[2];
    time_start(bench, COLD, watch);
    timelines[0] = timeline_end(watch);
    time_start(bench, RUN, watch);
    timelines[1] = timeline_end(watch);
    plotter->bench(path, &bench->result, &bench->parsed, timelines);
    free(timelines[0].arrivals);
    free(timelines[1].arrivals);
    timeline_watch_free(watch);
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

static size_t parse_rounds(const char *text)
{
    char *end;
    errno = 0;
    long rounds = strtol(text, &end, 10);
    if (errno || end == text || *end || rounds < 1 || rounds > MAX_ROUNDS)
        fail_usage("bench", "'%s' is not a number of rounds (1 to %d)", text, MAX_ROUNDS);
    return (size_t)rounds;
}

int command_bench(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"profile", required_argument, NULL, 'p'}, {"rounds", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},          {"plot", required_argument, NULL, 'P'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct bench bench = {.result.rounds = DEFAULT_ROUNDS};
    const char *named = NULL, *plot = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "+p:n:h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            named = optarg;
            break;
        case 'n':
            bench.result.rounds = parse_rounds(optarg);
            break;
        case 'j':
            json = true;
            break;
        case 'P':
            plot = optarg;
            break;
        case 'h':
            print_help(help);
        default:
            fail_usage_hint("bench");
        }
    }
    if (optind == argc)
        fail_usage("bench", "no command given");

    struct plotter plotter = {NULL, NULL};
    if (plot)
        plotter = plotter_load(plot);
    struct bench_result *result = &bench.result;
    result->command = argv + optind;
    bench.program = find_program(result->command[0]);
    if (bench.program.obstacle)
        fail(EXIT_CANNOT_EXECUTE, "%s", bench.program.obstacle);
    result->profile = find_profile(named);
    if (result->profile)
        load_profile(&bench);
    result->dropped_everything = drop_caches();
    if (!result->dropped_everything && !result->profile)
        fail(EXIT_FAILED, "without root a profile is needed: only its files can be evicted; give "
                          "one with -p");
    bench.self = find_component("coldboost");
    result->object = find_component("libcoldboost.so");
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        signal(ending[i], end_by_signal);

    measure(&bench);
    bench_estimate(result);
    if (plot)
        draw(&bench, &plotter, plot);
    if (json)
        bench_print_json(result);
    else
        print_table(result);
    return EXIT_SUCCESS;
}
