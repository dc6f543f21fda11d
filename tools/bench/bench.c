/*
 * bench.c: coldboost bench. Starts a command cold, boosted and warm, interleaved, and says what the
 * boost is worth.
 *
 * The machines it runs on are shared and noisy: every round runs every variant once, each cold one
 * right after the caches were dropped, and the figures are medians and ratios paired within a
 * round, each with an interval. Beside them stand the two limits of any boost, measured in the same
 * rounds: how fast the device gives the profile's pages, and when LD_PRELOAD gets control at all.
 */
#include "measure/bench_result.h"

#include "cli/command.h"
#include "inspect/inspect.h"
#include "measure/io_floor.h"
#include "plot/plot.h"
#include "profile/timeline.h"
#include "replay/profile.h"
#include "start/become.h"
#include "start/launch.h"
#include "start/obstacle.h"

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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ROUNDS 7
#define MAX_ROUNDS     1000

static const char help[] =
    "Usage: coldboost bench [-p PROFILE] [-n N] [-i] [--json] [--plot FILE.svg] [--]\n"
    "                       COMMAND [ARGUMENT]…\n"
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
    "  -p, --profile=PROFILE  as for 'coldboost run'\n"
    "  -n, --rounds=N         1 to 1000, default 7\n"
    "  -i, --ignore-failure   COMMAND may fail, in the same way at each start\n"
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
    int words;           /* what a start says on stderr, or where /dev/null is */
    bool ignore_failure; /* if it is the same every time */
    int expected;        /* the wait status of a good start */
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

/* The start that is under way, for end_by_signal(); and the signals for that. */
static volatile pid_t running;
static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

/* What was asked to end ends with what it started. Nothing else needs to be put back. */
static void end_by_signal(int number)
{
    if (running > 0)
        kill(running, SIGTERM);
    signal(number, SIG_DFL);
    raise(number);
}

/* A start must not be left running because its id was not yet known: they wait until it is. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        sigaddset(&held, ending[i]);
    sigprocmask(SIG_BLOCK, &held, before);
}

static void set_running(pid_t child, const sigset_t *before)
{
    running = child;
    sigprocmask(SIG_SETMASK, before, NULL);
}

/* Waits for a start to end; its wait status. */
static int await(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    running = 0;
    return status;
}

static char *describe_end(const struct bench *bench, int status)
{
    char *end = xasprintf("ended with %s %d", WIFEXITED(status) ? "exit status" : "signal",
                          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    if (!bench->expected)
        return end;
    char *text = xasprintf("%s, not %d", end,
                           WIFEXITED(bench->expected) ? WEXITSTATUS(bench->expected)
                                                      : WTERMSIG(bench->expected));
    free(end);
    return text;
}

/* What the last start has said: its end, if that is long. */
static void repeat_words(const struct bench *bench)
{
    char text[4096];
    off_t size = lseek(bench->words, 0, SEEK_END);
    off_t begin = size > (off_t)sizeof text ? size - (off_t)sizeof text : 0;
    ssize_t n = size > 0 ? pread(bench->words, text, sizeof text, begin) : 0;
    if (n > 0)
        fwrite(text, 1, (size_t)n, stderr);
    if (n > 0 && text[n - 1] != '\n')
        fputc('\n', stderr);
}

static void forget_words(const struct bench *bench)
{
    if (ftruncate(bench->words, 0) != 0) {
    } /* /dev/null has none */
}

static void keep_words(const struct bench *bench, const char *text, ssize_t n)
{
    if (n > 0 && write(bench->words, text, (size_t)n) != n) {
    } /* there is no memory for them */
}

static void expect_good_end(const struct bench *bench, enum bench_step step, int status)
{
    if (status == bench->expected)
        return;
    repeat_words(bench);
    fail(EXIT_FAILED, "%s %s (%s): nothing was measured%s", bench->result.command[0],
         describe_end(bench, status), bench_kind(step)->name,
         bench->ignore_failure ? "" : "; if it fails on purpose, give -i");
}

/* A file in memory, which is nearly as fast as /dev/null. */
static int open_words(void)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_APPEND);
    return fd >= 0 ? fd : open("/dev/null", O_RDWR | O_CLOEXEC);
}

/*
 * Starts the program; *ms: from spawn to exit. Its wait status. The watch, if there is one, begins
 * when all is cold.
 */
static int start_program(const struct bench *bench, enum bench_step variant,
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
    posix_spawn_file_actions_adddup2(&actions, bench->words, 2);
    forget_words(bench);

    if (bench_kind(variant)->cold)
        make_cold(bench);
    if (watch)
        timeline_begin(watch);
    sigset_t mask;
    hold_signals(&mask);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t child;
    double begin = now_ms();
    int error = posix_spawn(&child, variant == RUN ? bench->self : bench->program.path, &actions,
                            &attributes, argv, envp);
    if (error)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", bench->program.path, strerror(error));
    set_running(child, &mask);
    int status = await(child);
    *ms = now_ms() - begin;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(envp);
    free(argv);
    return status;
}

static double time_start(const struct bench *bench, enum bench_step variant,
                         struct timeline_watch *watch)
{
    double ms;
    expect_good_end(bench, variant, start_program(bench, variant, watch, &ms));
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

/* Whether a line of it is the constructor's. */
static bool has_report(const char *text, ssize_t n)
{
    static const char expected[] = "coldboost: ";
    const char *end = text + (n > 0 ? n : 0);
    for (const char *line = text; line && end - line >= (ssize_t)sizeof expected - 1;) {
        if (memcmp(line, expected, sizeof expected - 1) == 0)
            return true;
        line = memchr(line, '\n', (size_t)(end - line));
        line += line != NULL;
    }
    return false;
}

/*
 * Milliseconds from spawn until the constructor's report arrives; NAN if none does, as the object
 * is not loaded. Then the program goes on as in any start, and what it says is kept.
 */
static double time_constructor(const struct bench *bench, bool cold)
{
    enum { LAST_READS = 16 }; /* once it has ended: what it leaves running may write for ever */
    char text[4096];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    char **envp = step_environment(bench, CONSTRUCTOR);
    forget_words(bench);
    if (cold)
        make_cold(bench);
    sigset_t mask;
    hold_signals(&mask);
    double begin = now_ms(), ms = NAN;
    pid_t child = fork();
    if (child < 0)
        fail(EXIT_FAILED, "fork: %s", strerror(errno));
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &mask, NULL);
        become_probed(bench, envp, ends[1]);
    }
    set_running(child, &mask);
    close(ends[1]);
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd wait[] = {{.fd = ends[0], .events = POLLIN}, {.fd = process, .events = POLLIN}};
    for (int left = LAST_READS; left > 0 && poll(wait, 2, -1) > 0 && wait[0].revents;
         left -= wait[1].revents != 0) {
        ssize_t n = read(ends[0], text, sizeof text);
        if (isnan(ms) && has_report(text, n))
            ms = now_ms() - begin;
        if (n <= 0)
            break;
        keep_words(bench, text, n);
    }
    expect_good_end(bench, CONSTRUCTOR, await(child));
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
    return step == CONSTRUCTOR ? time_constructor(bench, true)
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

/* Why there is nothing to measure of a preloaded object, or NULL. Starts the program. */
static const char *find_preload_obstacle(const struct bench *bench)
{
    if (bench->program.obstacle)
        return obstacle_text(&bench->program);
    if (!isnan(time_constructor(bench, false)))
        return NULL;
    return xasprintf(
        "libcoldboost.so is not loaded into %s: its loader ignores LD_PRELOAD, or runs "
        "nothing",
        bench->program.executable);
}

/* The same of an auditor. Starts the program only if its files say that it bears one. */
static const char *find_audit_obstacle(const struct bench *bench)
{
    double ms;
    if (bench->result.preload_obstacle)
        return bench->result.preload_obstacle;
    if (!bench->result.profile)
        return "it does nothing without a profile";
    struct inspection inspection;
    inspect_file(bench->program.path, &inspection);
    if (inspection.audit_obstacle)
        return inspection.audit_obstacle;
    int status = start_program(bench, AUDIT, NULL, &ms);
    if (status == bench->expected)
        return NULL;
    return xasprintf("with it %s %s", bench->result.command[0], describe_end(bench, status));
}

/* A first start fails early, and finishes what it writes. */
static void start_first(struct bench *bench)
{
    double ms;
    int status = start_program(bench, WARM, NULL, &ms);
    if (bench->ignore_failure)
        bench->expected = status;
    expect_good_end(bench, WARM, status);
}

static void measure(struct bench *bench)
{
    struct bench_result *result = &bench->result;
    start_first(bench);
    result->preload_obstacle = find_preload_obstacle(bench);
    result->audit_obstacle = find_audit_obstacle(bench);
    sync();
    enum bench_step cold[STEP_COUNT] = {COLD}, warm[STEP_COUNT] = {COLD};
    size_t cold_count = 0, warm_count = 0;
    for (enum bench_step step = 0; step < STEP_COUNT; step++) {
        if ((step == IO_FLOOR && !bench->floor) || bench_obstacle(result, step))
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
static void draw(const struct bench *bench, const char *path)
{
    static const enum bench_step starts[] = {COLD, RUN};
    struct timeline timelines[2];
    for (size_t i = 0; i < 2 && bench->section; i++) {
        struct timeline_watch *watch = timeline_watch_new(&bench->parsed, bench->section);
        time_start(bench, starts[i], watch);
        timelines[i] = timeline_end(watch);
    }
    plot_bench(path, &bench->result, &bench->parsed, bench->section ? timelines : NULL);
    for (size_t i = 0; i < 2 && bench->section; i++)
        timeline_free(&timelines[i]);
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
        {"profile", required_argument, NULL, 'p'},
        {"rounds", required_argument, NULL, 'n'},
        {"ignore-failure", no_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},
        {"plot", required_argument, NULL, 'P'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct bench bench = {.result.rounds = DEFAULT_ROUNDS};
    const char *named = NULL, *plot = NULL;
    bool json = false;
    for (int c; (c = getopt_long(argc, argv, "+p:n:ih", long_options, NULL)) != -1;) {
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
    if (result->profile)
        load_profile(&bench);
    result->dropped_everything = drop_caches();
    if (!result->dropped_everything && !result->profile)
        fail(EXIT_FAILED, "without root a profile is needed: only its files can be evicted; give "
                          "one with -p");
    bench.words = open_words();
    bench.self = find_component("coldboost");
    result->object = find_component("libcoldboost.so");
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        signal(ending[i], end_by_signal);

    measure(&bench);
    bench_estimate(result);
    if (plot)
        draw(&bench, plot);
    if (json)
        bench_print_json(result);
    else
        print_table(result);
    return EXIT_SUCCESS;
}
