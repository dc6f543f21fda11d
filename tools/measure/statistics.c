/*
 * statistics.c: quantiles and the bootstrap.
 */
#include "measure/statistics.h"

#include "cli/command.h"
#include "cli/table.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 2000

enum { MOST_SERIES = 4, MOST_FIGURES = 4 };

int by_value(const void *a, const void *b)
{
    return ORDER(*(const double *)a, *(const double *)b);
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

/*
 * What is estimated: figures of the rounds that were drawn, NAN where they are not defined. Behind
 * the picks of the first population stand those of the second.
 */
struct estimation {
    void (*figures)(const struct estimation *estimation, const size_t *picks, double *scratch,
                    double *out);
    const double *samples[MOST_SERIES]; /* as the function takes them */
    size_t n[2];                        /* of each population */
    size_t count;                       /* of figures */
    const double *quantiles;
};

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* As many picks of [0, n) as there are, in order. */
static void draw(size_t *picks, size_t n, uint32_t *counts, uint64_t *random)
{
    memset(counts, 0, n * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[(next_random(random) >> 32) * n >> 32]++;
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = counts[i]; k > 0; k--)
            *picks++ = i;
}

static void bootstrap(const struct estimation *of, struct estimate *out)
{
    size_t all = of->n[0] + of->n[1], defined[MOST_FIGURES] = {0};
    size_t *picks = xmalloc(all * sizeof *picks);
    uint32_t *counts = xmalloc(all * sizeof *counts);
    double *scratch = xmalloc(all * sizeof *scratch);
    double(*drawn)[DRAWS] = xmalloc(of->count * sizeof *drawn), figures[MOST_FIGURES];
    uint64_t random = 1;
    for (size_t i = 0; i < all; i++)
        picks[i] = i < of->n[0] ? i : i - of->n[0];
    of->figures(of, picks, scratch, figures);
    for (size_t f = 0; f < of->count; f++)
        out[f] = (struct estimate){figures[f], NAN, NAN};
    for (size_t i = 0; i < DRAWS; i++) {
        draw(picks, of->n[0], counts, &random);
        draw(picks + of->n[0], of->n[1], counts, &random);
        of->figures(of, picks, scratch, figures);
        for (size_t f = 0; f < of->count; f++)
            if (isfinite(figures[f]))
                drawn[f][defined[f]++] = figures[f];
    }
    for (size_t f = 0; f < of->count; f++) {
        if (isfinite(out[f].value) && defined[f] >= DRAWS * 39 / 40) {
            out[f].low = quantile(drawn[f], defined[f], 0.025);
            out[f].high = quantile(drawn[f], defined[f], 0.975);
        } else {
            out[f].value = NAN;
        }
    }
    free(drawn);
    free(scratch);
    free(counts);
    free(picks);
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

static void median(const struct estimation *of, const size_t *picks, double *scratch, double *out)
{
    *out = median_of(of->samples[0], picks, scratch, of->n[0]);
}

struct estimate estimate_median(const double *values, size_t n)
{
    struct estimate result;
    bootstrap(&(struct estimation){median, {values}, {n}, 1, NULL}, &result);
    return result;
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

static void efficiency(const struct estimation *of, const size_t *picks, double *scratch,
                       double *out)
{
    double median[MOST_SERIES] = {0};
    for (size_t i = 0; i < MOST_SERIES; i++)
        if (of->samples[i])
            median[i] = median_of(of->samples[i], picks, scratch, of->n[0]);
    double to_win = median[0] - (median[2] > median[3] ? median[2] : median[3]);
    *out = to_win > 0 ? (median[0] - median[1]) / to_win : NAN;
}

struct estimate estimate_efficiency(const double *cold, const double *boosted, const double *warm,
                                    const double *floor, size_t n)
{
    struct estimate result;
    bootstrap(&(struct estimation){efficiency, {cold, boosted, warm, floor}, {n}, 1, NULL},
              &result);
    return result;
}

/* Of samples that are sorted already, and so are picks of them in order. */
static void differences(const struct estimation *of, const size_t *picks, double *scratch,
                        double *out)
{
    size_t n = of->n[0];
    for (size_t i = 0; i < n + of->n[1]; i++)
        scratch[i] = of->samples[i >= n][picks[i]];
    for (size_t f = 0; f < of->count; f++)
        out[f] = sorted_quantile(scratch, n, of->quantiles[f]) -
                 sorted_quantile(scratch + n, of->n[1], of->quantiles[f]);
}

void estimate_differences(const double *a, size_t a_count, const double *b, size_t b_count,
                          const double *quantiles, size_t count, struct estimate *out)
{
    bootstrap(&(struct estimation){differences, {a, b}, {a_count, b_count}, count, quantiles}, out);
}
