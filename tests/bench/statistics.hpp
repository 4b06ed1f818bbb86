// What can be said of a few measurements without knowing how they scatter.
#pragma once

#include <optional>
#include <vector>

/// The middle one of the values, or the mean of the middle two. There must be one at least.
double median(std::vector<double> values);

/// Where a median lies.
struct Interval {
    double low;
    double high;
};

/// The interval that holds the true median with a probability of 95% or a little more, whatever the
/// distribution of the values: it reaches from the k-th smallest value to the k-th greatest, with
/// the greatest k for which a fair coin that is thrown for each value shows fewer than k heads, or
/// fewer than k tails, in at most 5% of the cases. Nothing for fewer than six values, of which the
/// smallest and the greatest are not far enough apart for 95%.
std::optional<Interval> median_interval(std::vector<double> values);
