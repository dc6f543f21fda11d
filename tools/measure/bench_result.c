/*
 * bench_result.c: from samples to figures, and the figures in one sentence.
 */
#include "measure/bench_result.h"

#include "cli/command.h"

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
