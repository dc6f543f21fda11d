/*
 * bench_print.c: the figures as a table and as JSON.
 */
#include "bench/bench.h"

#include "base/text.h"
#include "cli/command.h"
#include "cli/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void print_row(const char *name, struct estimate ms)
{
    printf("  %-14s %9.1f   %8.1f to %8.1f", name, ms.value, ms.low, ms.high);
}

/* The same reason is said once. */
static void print_left_out(const struct bench_result *result, enum bench_step step)
{
    const char *obstacle = bench_obstacle(result, step);
    bool is_known = step != PRELOAD && obstacle == result->preload_obstacle;
    print_line("  %-14s left out%s%s", bench_kind(step)->name, is_known ? "" : ": ",
               is_known ? "" : obstacle);
}

void bench_print_table(const struct bench_result *result)
{
    printf("%zu rounds, interleaved; milliseconds from spawn to %s; cold: %s\n\n", result->rounds,
           result->until ? result->until : "exit",
           result->dropped_everything ? "page cache, directory entries and inodes dropped"
                                      : "the profile's files evicted (not root)");
    printf("  %-14s %9s   %-20s %8s   %s\n", "start", "median", "95 % interval", "vs cold",
           "efficiency");
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++) {
        if (!result->ms[v]) {
            print_left_out(result, v);
            continue;
        }
        print_row(bench_kind(v)->name, result->time[v]);
        if (v != COLD)
            printf("   %+6.1f %%", 100 * (result->ratio[v].value - 1));
        if (isfinite(result->efficiency[v].value))
            printf("   %.2f (%.2f to %.2f)", result->efficiency[v].value, result->efficiency[v].low,
                   result->efficiency[v].high);
        putchar('\n');
    }
    putchar('\n');
    if (isfinite(result->time[IO_FLOOR].value)) {
        print_row(bench_kind(IO_FLOOR)->name, result->time[IO_FLOOR]);
        puts("   the profile's pages from the device, nothing else");
    }
    if (isfinite(result->time[CONSTRUCTOR].value)) {
        print_row(bench_kind(CONSTRUCTOR)->name, result->time[CONSTRUCTOR]);
        puts("   until LD_PRELOAD gets control of a cold start");
    }
    putchar('\n');
    print_line("%s", result->verdict);
}

static void print_estimate(struct json *out, const char *name, struct estimate estimate)
{
    json_print(out, "%s %.4f %s_low %.4f %s_high %.4f", name, estimate.value, name, estimate.low,
               name, estimate.high);
}

/* Opens an object, and leaves it open. */
static void print_times(struct json *out, const struct bench_result *result, enum bench_step step)
{
    const char *unit = step < VARIANT_COUNT ? "_ms" : "";
    struct estimate ms = result->time[step];
    char key[16];
    snprintf(key, sizeof key, "samples%s", unit);
    json_open(out, bench_kind(step)->key, '{');
    json_print(out, "median%s %.4f low%s %.4f high%s %.4f", unit, ms.value, unit, ms.low, unit,
               ms.high);
    json_decimals(out, key, result->ms[step], result->rounds);
}

static void print_step(struct json *out, const struct bench_result *result, enum bench_step step)
{
    if (step < VARIANT_COUNT ? !result->ms[step] : !isfinite(result->time[step].value)) {
        json_text(out, bench_kind(step)->key, NULL);
        return;
    }
    print_times(out, result, step);
    if (step != COLD && step < VARIANT_COUNT)
        print_estimate(out, "ratio", result->ratio[step]);
    if (bench_is_boosted(step))
        print_estimate(out, "efficiency", result->efficiency[step]);
    if (step == WARM_PRELOAD)
        print_estimate(out, "warm_ratio", result->warm_ratio);
    json_close(out, "}");
}

void bench_print_json(const struct bench_result *result)
{
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_print(&out, "version 1");
    json_texts(&out, "command", result->command, text_count(result->command));
    json_print(&out, "rounds %zu", result->rounds);
    json_text(&out, "until", result->until ? result->until : "exit");
    json_text(&out, "cold_by", result->dropped_everything ? "drop_caches" : "evicted_profile");
    print_step(&out, result, IO_FLOOR);
    print_step(&out, result, CONSTRUCTOR);
    json_print(&out, "profile_files %u changed_files %u stale_files %u", result->files.files,
               result->files.changed, result->files.stale);
    json_text(&out, "preload_obstacle", result->preload_obstacle);
    json_text(&out, "audit_obstacle", result->audit_obstacle);
    json_open(&out, "variants", '{');
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++)
        print_step(&out, result, v);
    json_close(&out, "}");
    json_text(&out, "verdict", result->verdict);
    json_close(&out, "}\n");
}
