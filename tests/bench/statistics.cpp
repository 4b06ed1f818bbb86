#include "bench/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>

double median(std::vector<double> values) {
    assert(!values.empty());
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<Interval> median_interval(std::vector<double> values) {
    const std::size_t count = values.size();
    // In logarithms, since 2^-count is zero for a double when there are very many.
    double log_probability = -static_cast<double>(count) * std::log(2.0);  // of no head at all
    double tail = 0;
    std::size_t k = 0;
    while (k < count / 2 && 2 * (tail += std::exp(log_probability)) <= 0.05) {
        log_probability += std::log(static_cast<double>(count - k) / static_cast<double>(k + 1));
        ++k;
    }
    if (k == 0) {
        return std::nullopt;
    }
    std::sort(values.begin(), values.end());
    return Interval{values[k - 1], values[count - k]};
}
