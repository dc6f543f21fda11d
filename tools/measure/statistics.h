/*
 * statistics.h: medians of interleaved rounds, and how far to believe them.
 *
 * An estimate's interval is the percentile bootstrap's (Efron 1979): rounds are drawn with
 * replacement, the figure is computed again, and the middle 95 % of what comes out is the interval.
 * Whole rounds are drawn, so that what was measured side by side stays side by side. The draws are
 * the same in every run: the same samples give the same interval.
 */
#pragma once

#include <stddef.h>

/*
 * With fewer rounds not even the interval from the least to the largest sample covers the median
 * with 95 %: it does so with 1 - 2^(1-n).
 */
#define STATISTICS_MIN_ROUNDS 6

struct estimate {
    double value, low, high; /* all NAN where the samples do not define it */
};

/* The order of numbers, for qsort(). */
int by_value(const void *a, const void *b);

/* The q-quantile, 0 to 1, of n values, interpolated. n is at least 1. */
double quantile(const double *values, size_t n, double q);
double sorted_quantile(const double *sorted, size_t n, double q);

struct estimate estimate_median(const double *values, size_t n);

/* The median over the rounds of a's sample divided by b's of the same round. */
struct estimate estimate_ratio(const double *a, const double *b, size_t n);

/*
 * The share of what there is to win that was won: (cold - boosted) / (cold - max(warm, floor)), of
 * medians. `floor` may be NULL. Not defined where a cold start is no slower than that maximum, or
 * is so only in some of the draws.
 */
struct estimate estimate_efficiency(const double *cold, const double *boosted, const double *warm,
                                    const double *floor, size_t n);

/*
 * The difference of two samples' quantiles, a's minus b's, for each of the quantiles, of which
 * there are 4 at most. The samples are sorted and finite, and drawn each on its own.
 */
void estimate_differences(const double *a, size_t a_count, const double *b, size_t b_count,
                          const double *quantiles, size_t count, struct estimate *out);
