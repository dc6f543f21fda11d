/*
 * bench_start.c: makes one start, cold or warm, boosted or not, and times it.
 */
#include "base/text.h"
#include "bench/bench.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bool drop_caches(void)
{
    return write_setting("/proc/sys/vm/drop_caches", "3");
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
 * How the constructor says that it has control: a start that chance leaves unboosted pages nothing
 * in, and is reported at once. There is no profile, so that none is waited for.
 */
static char *const probing[] = {(char[]){"COLDBOOST_HOLDOUT=100"}, (char[]){"COLDBOOST_VERBOSE=1"},
                                (char[]){"COLDBOOST_PROFILE=/dev/null"}};

/* A start that is measured is not recorded. */
static char no_store[] = "COLDBOOST_STORE=off";

/*
 * This process's environment without our variables, then the step's. The caller frees it. Strings
 * that are its own leak: there are few.
 */
static char **step_environment(const struct bench *bench, enum bench_step step)
{
    const char *ours = step == CONSTRUCTOR ? "COLDBOOST" : "COLDBOOST_PROFILE=";
    const char *variable = bench_kind(step)->variable;
    const char *others = variable ? getenv(variable) : NULL;
    size_t count = text_count(environ), kept = 0, length = variable ? strlen(variable) : 0;
    char **result = xmalloc((count + 6) * sizeof *result);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], ours, strlen(ours)) != 0 &&
            strncmp(environ[i], "COLDBOOST_STORE=", 16) != 0 &&
            !(variable && strncmp(environ[i], variable, length) == 0 && environ[i][length] == '='))
            result[kept++] = environ[i];
    result[kept++] = no_store;
    if (variable)
        result[kept++] = xasprintf("%s=%s%s%s", variable, bench->result.object,
                                   others && *others ? ":" : "", others ? others : "");
    if (step == CONSTRUCTOR)
        for (size_t i = 0; i < sizeof probing / sizeof *probing; i++)
            result[kept++] = probing[i];
    else if ((variable || step == RUN) && bench->result.profile)
        result[kept++] = xasprintf("COLDBOOST_PROFILE=%s", bench->result.profile);
    result[kept] = NULL;
    return result;
}

/* The command line of the step; the caller frees it. */
static char **step_arguments(const struct bench *bench, enum bench_step step)
{
    static char run[] = "run", end_of_options[] = "--";
    char *const *command = bench->result.command;
    char *const before[] = {bench->self, run, end_of_options};
    size_t count = text_count(command), added = step == RUN ? sizeof before / sizeof *before : 0;
    char **argv = xmalloc((added + count + 1) * sizeof *argv);
    memcpy(argv, before, added * sizeof *argv);
    memcpy(argv + added, command, (count + 1) * sizeof *argv);
    return argv;
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

int bench_await_end(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    running = 0;
    return status;
}

char *bench_describe_end(const struct bench *bench, int status)
{
    if (status == BENCH_NO_SIGN)
        return xstrdup("has not come to what --until says");
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

void bench_keep_words(const struct bench *bench, const char *text, ssize_t n)
{
    if (n > 0 && write(bench->words, text, (size_t)n) != n) {
    } /* there is no memory for them */
}

void bench_expect_good_end(const struct bench *bench, enum bench_step step, int status)
{
    if (status == bench->expected)
        return;
    repeat_words(bench);
    fail(EXIT_FAILED, "%s %s (%s): nothing was measured%s", bench->result.command[0],
         bench_describe_end(bench, status), bench_kind(step)->name,
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

void bench_prepare(struct bench *bench)
{
    bench->words = open_words();
    bench->result.dropped_everything = drop_caches();
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        signal(ending[i], end_by_signal);
}

pid_t bench_spawn(const struct bench *bench, enum bench_step step, bool cold, int output,
                  struct timeline_watch *watch, double *begin)
{
    char **argv = step_arguments(bench, step), **envp = step_environment(bench, step);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    if (bench->until.kind == UNTIL_LINE)
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    forget_words(bench);
    if (cold)
        make_cold(bench);
    if (watch)
        timeline_begin(watch);
    sigset_t mask;
    hold_signals(&mask);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, bench->until.kind == UNTIL_EXIT
                                              ? POSIX_SPAWN_SETSIGMASK
                                              : POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t child;
    *begin = now_ms();
    int error = posix_spawnp(&child, argv[0], &actions, &attributes, argv, envp);
    if (error)
        fail(EXIT_CANNOT_EXECUTE, "%s: %s", bench->program.path, strerror(error));
    set_running(child, &mask);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(envp);
    free(argv);
    return child;
}

int bench_start(const struct bench *bench, enum bench_step variant, struct timeline_watch *watch,
                double *ms)
{
    double begin;
    if (bench->until.kind != UNTIL_EXIT)
        return bench_start_server(bench, variant, watch, ms);
    int status = bench_await_end(
        bench_spawn(bench, variant, bench_kind(variant)->cold, bench->words, watch, &begin));
    *ms = now_ms() - begin;
    return status;
}

double bench_time_start(const struct bench *bench, enum bench_step variant,
                        struct timeline_watch *watch)
{
    double ms;
    bench_expect_good_end(bench, variant, bench_start(bench, variant, watch, &ms));
    return ms;
}

double bench_time_io_floor(const struct bench *bench)
{
    make_cold(bench);
    double begin = now_ms();
    io_floor_read(bench->floor);
    return now_ms() - begin;
}
