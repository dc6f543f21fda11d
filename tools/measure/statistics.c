/*
 * statistics.c: quantiles and the bootstrap.
 */
#include "measure/statistics.h"

#include "cli/command.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 2000

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double sorted_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

double quantile(const double *values, size_t n, double q)
{
    double *sorted = xmalloc(n * sizeof *sorted);
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    double result = sorted_quantile(sorted, n, q);
    free(sorted);
    return result;
}

/* What is estimated, from the rounds that picks names; NAN where it is not defined. */
struct figure {
    double (*of)(const struct figure *figure, const size_t *picks, double *scratch);
    const double *samples[4]; /* as the function takes them */
    size_t n;
};

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct estimate bootstrap(const struct figure *figure)
{
    size_t n = figure->n, defined = 0;
    size_t *picks = xmalloc(n * sizeof *picks);
    double *scratch = xmalloc(n * sizeof *scratch);
    double *drawn = xmalloc(DRAWS * sizeof *drawn);
    for (size_t i = 0; i < n; i++)
        picks[i] = i;
    struct estimate result = {figure->of(figure, picks, scratch), NAN, NAN};
    uint64_t random = 1;
    for (int draw = 0; draw < DRAWS; draw++) {
        for (size_t i = 0; i < n; i++)
            picks[i] = (size_t)(next_random(&random) % n);
        double value = figure->of(figure, picks, scratch);
        if (isfinite(value))
            drawn[defined++] = value;
    }
    if (isfinite(result.value) && defined >= DRAWS * 39 / 40) {
        result.low = quantile(drawn, defined, 0.025);
        result.high = quantile(drawn, defined, 0.975);
    } else {
        result.value = NAN;
    }
    free(drawn);
    free(scratch);
    free(picks);
    return result;
}

static double median_of(const double *values, const size_t *picks, double *scratch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        scratch[i] = values[picks[i]];
        if (!isfinite(scratch[i]))
            return NAN; /* nor could it be sorted */
    }
    qsort(scratch, n, sizeof *scratch, by_value);
    return sorted_quantile(scratch, n, 0.5);
}

static double median_figure(const struct figure *figure, const size_t *picks, double *scratch)
{
    return median_of(figure->samples[0], picks, scratch, figure->n);
}

struct estimate estimate_median(const double *values, size_t n)
{
    return bootstrap(&(struct figure){median_figure, {values}, n});
}

struct estimate estimate_ratio(const double *a, const double *b, size_t n)
{
    double *ratios = xmalloc(n * sizeof *ratios);
    for (size_t i = 0; i < n; i++)
        ratios[i] = a[i] / b[i];
    struct estimate result = estimate_median(ratios, n);
    free(ratios);
    return result;
}

static double efficiency_figure(const struct figure *figure, const size_t *picks, double *scratch)
{
    double median[4] = {0, 0, 0, 0};
    for (int i = 0; i < 4; i++)
        if (figure->samples[i])
            median[i] = median_of(figure->samples[i], picks, scratch, figure->n);
    double to_win = median[0] - (median[2] > median[3] ? median[2] : median[3]);
    return to_win > 0 ? (median[0] - median[1]) / to_win : NAN;
}

struct estimate estimate_efficiency(const double *cold, const double *boosted, const double *warm,
                                    const double *floor, size_t n)
{
    return bootstrap(&(struct figure){efficiency_figure, {cold, boosted, warm, floor}, n});
}
