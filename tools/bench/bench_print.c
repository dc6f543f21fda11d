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
    printf("  %-14s left out", bench_kind(step)->name);
    if (!is_known) {
        fputs(": ", stdout);
        print_escaped(stdout, obstacle);
    }
    putchar('\n');
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
    print_escaped(stdout, result->verdict);
    putchar('\n');
}

static void print_number(const char *name, double number)
{
    if (isfinite(number))
        printf("\"%s\":%.4f", name, number);
    else
        printf("\"%s\":null", name);
}

/* "NAME":1.0,"NAME_low":0.9,"NAME_high":1.1 */
static void print_estimate(const char *name, struct estimate estimate)
{
    static const char *const suffixes[] = {"", "_low", "_high"};
    const double numbers[] = {estimate.value, estimate.low, estimate.high};
    for (int i = 0; i < 3; i++) {
        char *full = xasprintf("%s%s", name, suffixes[i]);
        fputs(i ? "," : "", stdout);
        print_number(full, numbers[i]);
        free(full);
    }
}

static void print_times(struct estimate ms, const char *unit, const double *samples, size_t n)
{
    static const char *const names[] = {"median", "low", "high"};
    const double numbers[] = {ms.value, ms.low, ms.high};
    for (int i = 0; i < 3; i++) {
        char *full = xasprintf("%s%s", names[i], unit);
        print_number(full, numbers[i]);
        putchar(',');
        free(full);
    }
    printf("\"samples%s\":[", unit);
    for (size_t i = 0; i < n; i++)
        printf("%s%.4f", i ? "," : "", samples[i]);
    putchar(']');
}

static void print_limit(const struct bench_result *result, enum bench_step step)
{
    const char *name = bench_kind(step)->key;
    if (!isfinite(result->time[step].value)) {
        printf(",\"%s\":null", name);
        return;
    }
    printf(",\"%s\":{", name);
    print_times(result->time[step], "", result->ms[step], result->rounds);
    putchar('}');
}

static void print_obstacle(const char *name, const char *obstacle)
{
    printf(",\"%s\":", name);
    if (obstacle)
        print_json_string(stdout, obstacle);
    else
        fputs("null", stdout);
}

void bench_print_json(const struct bench_result *result)
{
    printf("{\"version\":1,\"command\":[");
    for (char **argument = result->command; *argument; argument++) {
        fputs(argument == result->command ? "" : ",", stdout);
        print_json_string(stdout, *argument);
    }
    printf("],\"rounds\":%zu,\"cold_by\":\"%s\"", result->rounds,
           result->dropped_everything ? "drop_caches" : "evicted_profile");
    print_limit(result, IO_FLOOR);
    print_limit(result, CONSTRUCTOR);
    printf(",\"profile_files\":%u,\"changed_files\":%u,\"stale_files\":%u", result->files.files,
           result->files.changed, result->files.stale);
    print_obstacle("preload_obstacle", result->preload_obstacle);
    print_obstacle("audit_obstacle", result->audit_obstacle);
    fputs(",\"variants\":{", stdout);
    for (enum bench_step v = 0; v < VARIANT_COUNT; v++) {
        printf("%s\"%s\":", v ? "," : "", bench_kind(v)->key);
        if (!result->ms[v]) {
            fputs("null", stdout);
            continue;
        }
        putchar('{');
        print_times(result->time[v], "_ms", result->ms[v], result->rounds);
        if (v != COLD) {
            putchar(',');
            print_estimate("ratio", result->ratio[v]);
        }
        if (bench_is_boosted(v)) {
            putchar(',');
            print_estimate("efficiency", result->efficiency[v]);
        }
        if (v == WARM_PRELOAD) {
            putchar(',');
            print_estimate("warm_ratio", result->warm_ratio);
        }
        putchar('}');
    }
    fputs("},\"verdict\":", stdout);
    print_json_string(stdout, result->verdict);
    puts("}");
}
