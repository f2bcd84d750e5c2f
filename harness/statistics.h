// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <span>

// Location, spread and interval estimates over one set of samples.
//
// The functions are pure and unit-neutral: a result has the unit of its input. Input need not be
// sorted unless the name says so. An empty input, or one with a NaN or an infinity, gives
// std::nullopt, as does a result that a double cannot hold. Functions that need the values in order
// copy and sort them once: O(n) memory, O(n log n) time. All may be called from any thread.
namespace bpfmark {

using Values = std::span<const double>;

struct Interval {
  double lo;
  double hi;
};

// Turns mad() into an estimate of the standard deviation where the data are normal:
// 1 / (0.75 quantile of the standard normal distribution), commonly rounded to 1.4826.
inline constexpr double kMadToStddev = 1.4826022185056018;

std::optional<double> mean(Values values);

// The middle value, or the middle of the two middle values.
std::optional<double> median(Values values);

// With Bessel's correction (n - 1); needs two values.
std::optional<double> sample_stddev(Values values);

// sample_stddev() / |mean()|, a ratio (0.01 is 1 %); undefined where the mean is zero.
std::optional<double> coefficient_of_variation(Values values);

// Quantile by linear interpolation at position (n - 1) * q of the order statistics: type 7 of
// Hyndman and Fan (1996), the default of R and NumPy. `q` outside [0, 1] is refused.
std::optional<double> quantile(Values values, double q);

// As quantile(), without the copy. Input that is not in ascending order is refused.
std::optional<double> quantile_sorted(Values sorted, double q);

// Mean of what is left after floor(fraction * n) values are dropped from each end. `fraction` must
// be in [0, 0.5).
std::optional<double> trimmed_mean(Values values, double fraction);

// Mean of the middle half. Where n is not a multiple of four, the two outermost values that are
// kept count with the fraction of them that lies inside the half.
std::optional<double> interquartile_mean(Values values);

// Median of all n(n+1)/2 Walsh averages (x[i] + x[j]) / 2, i <= j: Hodges and Lehmann (1963).
// Exact for every n without forming the averages: they are counted against a threshold in O(n), and
// the threshold is bisected over the representable doubles.
std::optional<double> hodges_lehmann(Values values);

// Half-sample mode of Bickel and Fruehwirth (2006): repeatedly keeps the ceil(n/2) neighbours that
// span the least. Among equally narrow halves the lowest wins, for disturbance only adds time.
std::optional<double> half_sample_mode(Values values);

// Median absolute deviation from the median, not scaled; see kMadToStddev.
std::optional<double> mad(Values values);

// 0.975 quantile of Student's t distribution: the critical value of a two-sided 95 % interval.
// Within 1e-5 of the true value for every df >= 1; df = 0 is refused.
std::optional<double> student_t_quantile_975(std::size_t df);

// 95 % interval of the mean, assuming independent values and a roughly normal mean; needs two
// values.
std::optional<Interval> t_interval(Values values);

// The narrowest symmetric pair of order statistics that covers the median of the population with
// at least 95 % probability, by the binomial distribution with p = 1/2: assumes independence and
// no shape. Even the full range covers too little below six values.
std::optional<Interval> order_statistic_interval_median(Values values);

// Half the width of the interval over |centre|, a ratio; undefined for a zero centre or an interval
// whose ends are out of order.
std::optional<double> relative_half_width(Interval interval, double centre);

}  // namespace bpfmark
