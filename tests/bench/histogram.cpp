#include "bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

void LatencyHistogram::record(std::chrono::nanoseconds duration) {
    const auto nanoseconds = std::max<std::chrono::nanoseconds::rep>(0, duration.count());
    ++counts_[bucket_of(static_cast<std::uint64_t>(nanoseconds))];
    ++count_;
}

void LatencyHistogram::add(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < buckets; ++i) {
        counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
}

std::chrono::nanoseconds LatencyHistogram::percentile(double percent) const {
    if (count_ == 0) {
        return std::chrono::nanoseconds{0};
    }
    const double share = percent / 100 * static_cast<double>(count_);
    const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share)));
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while ((seen += counts_[bucket]) < wanted && bucket + 1 < buckets) {
        ++bucket;
    }
    return std::chrono::nanoseconds{static_cast<std::int64_t>(end_of(bucket))};
}

/// Below 2^(bits + 1) a bucket is one nanosecond wide; above, its number is the power of two and
/// the `bits` binary digits behind the first one.
std::size_t LatencyHistogram::bucket_of(std::uint64_t nanoseconds) {
    const std::uint64_t value = std::min(nanoseconds, std::uint64_t{1} << greatest_power);
    const auto digits = static_cast<unsigned>(std::bit_width(value));
    if (digits <= bits + 1) {
        return value;
    }
    const unsigned dropped = digits - bits - 1;
    return (std::size_t{dropped} << bits) + (value >> dropped);
}

std::uint64_t LatencyHistogram::end_of(std::size_t bucket) {
    if (bucket < (std::size_t{2} << bits)) {
        return bucket;
    }
    const std::size_t dropped = (bucket >> bits) - 1;
    const std::uint64_t value = bucket - (dropped << bits);
    return ((value + 1) << dropped) - 1;
}
