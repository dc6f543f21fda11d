/*
 * bench_print.c: from samples to figures, and the figures as a table, as JSON and in one sentence.
 */
#include "measure/bench_result.h"

#include "cli/command.h"
#include "cli/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool shows_gain(const struct bench_result *result, enum bench_step way)
{
    return result->ratio[way].high < 1; /* not if it is NAN */
}

/*
 * Of the ways that show a gain the one with the least ratio to cold; COLD if none does. An auditor
 * must be certain to be better than coldboost run, which every program bears.
 */
static enum bench_step find_best(const struct bench_result *result)
{
    enum bench_step best = COLD;
    for (enum bench_step way = RUN; way <= AUDIT; way++)
        if (shows_gain(result, way) &&
            (best == COLD || result->ratio[way].value < result->ratio[best].value))
            best = way;
    if (best == AUDIT && shows_gain(result, RUN) &&
        estimate_ratio(result->ms[RUN], result->ms[AUDIT], result->rounds).low <= 1)
        best = RUN;
    return best;
}

void bench_estimate(struct bench_result *result)
{
    static const struct estimate undefined = {NAN, NAN, NAN};
    double *const *ms = result->ms;
    size_t n = result->rounds;
    for (int step = 0; step < STEP_COUNT; step++)
        result->time[step] = ms[step] ? estimate_median(ms[step], n) : undefined;
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++)
        result->ratio[v] = ms[v] ? estimate_ratio(ms[v], ms[COLD], n) : undefined;
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++)
        result->efficiency[v] =
            ms[v] && bench_is_boosted(v)
                ? estimate_efficiency(ms[COLD], ms[v], ms[WARM], ms[IO_FLOOR], n)
                : undefined;
    result->warm_ratio =
        ms[WARM_PRELOAD] ? estimate_ratio(ms[WARM_PRELOAD], ms[WARM], n) : undefined;
    result->best = find_best(result);
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++)
        result->to_best[v] = ms[v] ? estimate_ratio(ms[v], ms[result->best], n) : undefined;
    result->verdict = bench_verdict(result);
}

/* "so it is best started with coldboost run -p PROFILE", or what else makes it start that way. */
static void advise(FILE *out, const struct bench_result *result)
{
    const char *variable = bench_kind(result->best)->variable;
    fputs("so it is best started ", out);
    if (result->best == COLD) {
        fputs("as it is", out);
        return;
    }
    if (variable)
        fprintf(out, "with %s=%s", variable, result->object);
    else
        fputs("with coldboost run", out);
    if (result->profile)
        fprintf(out, "%s%s", variable ? " COLDBOOST_PROFILE=" : " -p ", result->profile);
    if (result->best == AUDIT)
        fputs(" for this program alone", out);
    bool tied = false;
    for (enum bench_step way = RUN; way <= AUDIT; way++)
        if (way != result->best && shows_gain(result, way) && result->to_best[way].low <= 1) {
            fprintf(out, "%s%s", tied ? " or " : "; these rounds cannot tell ",
                    bench_kind(way)->name);
            tied = true;
        }
    fputs(tied ? " from that" : "", out);
}

/* " takes 12.3 % less time (10.1 to 14.2 %)", or that nothing can be shown. */
static void describe(FILE *out, struct estimate ratio, const char *nothing)
{
    double value = 100 * (ratio.value - 1), low = 100 * (ratio.low - 1),
           high = 100 * (ratio.high - 1);
    if (high < 0)
        fprintf(out, " takes %.1f %% less time (%.1f to %.1f %%)", -value, -high, -low);
    else if (low > 0)
        fprintf(out, " takes %.1f %% more time (%.1f to %.1f %%)", value, low, high);
    else
        fprintf(out, " has no %s that this run can show (%+.1f to %+.1f %%)", nothing, low, high);
}

char *bench_verdict(const struct bench_result *result)
{
    if (result->rounds < STATISTICS_MIN_ROUNDS)
        return xasprintf("Too few rounds for a verdict: give -n %d or more.",
                         STATISTICS_MIN_ROUNDS);
    char *verdict;
    size_t size;
    FILE *out = open_memstream(&verdict, &size);
    if (!out)
        fail(EXIT_FAILED, "out of memory");
    bool is_first = true;
    for (enum bench_step way = RUN; way <= AUDIT; way++) {
        if (isnan(result->ratio[way].value))
            continue;
        fprintf(out, is_first ? "With %s a cold start" : "with %s it", bench_kind(way)->name);
        describe(out, result->ratio[way], "gain");
        fputs("; ", out);
        is_first = false;
    }
    if (!isnan(result->warm_ratio.value)) {
        fputs("a warm start, preloaded,", out);
        describe(out, result->warm_ratio, "cost");
        fputs("; ", out);
    }
    advise(out, result);
    fputs(".", out);
    if (fclose(out) != 0)
        fail(EXIT_FAILED, "out of memory");
    return verdict;
}

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
    printf("%zu rounds, interleaved; milliseconds from spawn to exit; cold: %s\n\n", result->rounds,
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
    size_t words = 0;
    while (result->command[words])
        words++;
    json_open(&out, NULL, '{');
    json_print(&out, "version 1");
    json_texts(&out, "command", result->command, words);
    json_print(&out, "rounds %zu", result->rounds);
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
