#include "measure/statistics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static void expect(struct estimate got, double value, double low, double high)
{
    cr_expect(fabs(got.value - value) < 1e-9 && fabs(got.low - low) < 1e-9 &&
                  fabs(got.high - high) < 1e-9,
              "%g (%g to %g), not %g (%g to %g)", got.value, got.low, got.high, value, low, high);
}

static void expect_undefined(struct estimate got)
{
    cr_expect(isnan(got.value) && isnan(got.low) && isnan(got.high), "%g (%g to %g)", got.value,
              got.low, got.high);
}

Test(statistics, a_quantile_lies_between_its_neighbours)
{
    const double values[] = {30, 10, 20, 40};
    cr_expect_eq(quantile(values, 4, 0), 10);
    cr_expect_eq(quantile(values, 4, 0.5), 25);
    cr_expect_eq(quantile(values, 4, 1), 40);
    cr_expect_float_eq(quantile(values, 4, 0.9), 37, 1e-9);
    cr_expect_eq(values[0], 30, "the values are not sorted in place");
    cr_expect_eq(quantile(values, 1, 0.7), 30);
}

/*
 * The median of n draws is the k-th smallest or less with P(Binomial(n, k/n) > n/2): for n = 7 that
 * is 0.010 and 0.110 for k = 1 and 2, so that 2.5 % falls to the second; for n = 3 it is 0.26.
 */
Test(statistics, an_interval_is_that_of_the_percentile_bootstrap)
{
    const double seven[] = {4, 7, 1, 3, 6, 2, 5};
    expect(estimate_median(seven, 7), 4, 2, 6);
    const double three[] = {3, 1, 2};
    expect(estimate_median(three, 3), 2, 1, 3);
    const double same[] = {5, 5, 5, 5, 5, 5};
    expect(estimate_median(same, 6), 5, 5, 5);
    expect(estimate_median(same, 1), 5, 5, 5);
}

Test(statistics, the_same_samples_give_the_same_interval)
{
    double values[11];
    for (int i = 0; i < 11; i++)
        values[i] = sqrt(i * 37 % 11);
    struct estimate first = estimate_median(values, 11), second = estimate_median(values, 11);
    cr_expect(first.low == second.low && first.high == second.high);
    cr_expect(first.low < first.value && first.value < first.high);
}

/* Samples of a skewed distribution whose median is 1, as times are. */
Test(statistics, the_interval_holds_the_median_about_as_often_as_it_says)
{
    enum { EXPERIMENTS = 300, ROUNDS = 9 };
    int held = 0;
    srand48(1);
    for (int i = 0; i < EXPERIMENTS; i++) {
        double values[ROUNDS];
        for (int k = 0; k < ROUNDS; k++)
            values[k] = exp(0.3 * (drand48() + drand48() + drand48() + drand48() - 2));
        struct estimate median = estimate_median(values, ROUNDS);
        held += median.low <= 1 && 1 <= median.high;
    }
    cr_expect_geq(held, EXPERIMENTS * 90 / 100);
    cr_expect_lt(held, EXPERIMENTS, "an interval that always holds it says nothing");
}

Test(statistics, ratios_are_those_of_a_round)
{
    const double before[] = {10, 500, 20, 9000, 40, 70, 3},
                 after[] = {5, 250, 10, 4500, 20, 35, 1.5};
    expect(estimate_ratio(after, before, 7), 0.5, 0.5, 0.5);
}

Test(statistics, efficiency_is_what_was_won_of_what_there_is_to_win)
{
    const double cold[] = {100, 100, 100}, boosted[] = {60, 60, 60}, warm[] = {40, 40, 40};
    const double low[] = {20, 20, 20}, high[] = {50, 50, 50};
    expect(estimate_efficiency(cold, boosted, warm, NULL, 3), 40. / 60, 40. / 60, 40. / 60);
    expect(estimate_efficiency(cold, boosted, warm, low, 3), 40. / 60, 40. / 60, 40. / 60);
    expect(estimate_efficiency(cold, boosted, warm, high, 3), 0.8, 0.8, 0.8);
    expect(estimate_efficiency(boosted, cold, warm, low, 3), -2, -2, -2);
}

Test(statistics, efficiency_draws_whole_rounds)
{
    const double cold[] = {100, 200, 300, 400, 500, 600, 700};
    const double boosted[] = {55, 110, 165, 220, 275, 330, 385};
    const double warm[] = {10, 20, 30, 40, 50, 60, 70};
    expect(estimate_efficiency(cold, boosted, warm, NULL, 7), 0.5, 0.5, 0.5);
}

Test(statistics, what_the_samples_do_not_define_is_not_a_number)
{
    const double cold[] = {10, 10, 10, 10, 4, 4, 4}, boosted[] = {5, 5, 5, 5, 5, 5, 5};
    const double warm[] = {9, 9, 9, 9, 9, 9, 9};
    expect_undefined(estimate_efficiency(boosted, cold, warm, NULL, 7)); /* cold is warm */
    expect_undefined(estimate_efficiency(cold, boosted, warm, NULL, 7)); /* only by a hair */
    expect_undefined(estimate_efficiency(warm, boosted, warm, NULL, 7)); /* nothing to win */
    const double one_missing[] = {1, NAN, 1, 1, 1, 1, 1, 1, 1};
    expect_undefined(estimate_median(one_missing, 9));
}

/* Every value of b is 10 less than one of a: so is each quantile, in every draw of equal values. */
Test(statistics, differences_are_those_of_the_quantiles)
{
    const double a[] = {20, 20, 20, 20}, b[] = {10, 10, 10}, quantiles[] = {0.5, 0.9};
    struct estimate differences[2];
    estimate_differences(a, 4, b, 3, quantiles, 2, differences);
    expect(differences[0], 10, 10, 10);
    expect(differences[1], 10, 10, 10);
    const double wide[] = {1, 2, 3, 4, 5, 6, 7};
    estimate_differences(wide, 7, b, 3, quantiles, 1, differences);
    expect(differences[0], -6, -8, -4); /* the interval of the median, see above */
}
