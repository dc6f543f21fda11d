/*
 * bench_rounds.c: which variants are measured, and in which order.
 */
#include "bench/bench.h"
#include "cli/command.h"
#include "inspect/inspect.h"
#include "start/obstacle.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static double time_step(const struct bench *bench, enum bench_step step)
{
    return step == CONSTRUCTOR ? bench_time_constructor(bench, true)
           : step == IO_FLOOR  ? bench_time_io_floor(bench)
                               : bench_time_start(bench, step, NULL);
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
    if (!isnan(bench_time_constructor(bench, false)))
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
    int status = bench_start(bench, AUDIT, NULL, &ms);
    if (status == bench->expected)
        return NULL;
    return xasprintf("with it %s %s", bench->result.command[0], bench_describe_end(bench, status));
}

/* A first start fails early, and finishes what it writes. */
static void start_first(struct bench *bench)
{
    double ms;
    int status = bench_start(bench, WARM, NULL, &ms);
    if (bench->ignore_failure)
        bench->expected = status;
    bench_expect_good_end(bench, WARM, status);
}

void bench_measure(struct bench *bench)
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
