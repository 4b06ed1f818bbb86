// How long many messages took, in little room.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// Counts durations in log-linear buckets: 32 of the same width in each power of two, so that a
/// percentile is at most 1/32, or 3.2%, above the true one, however long or short the durations
/// are. Recording costs an addition, and the size is fixed.
class LatencyHistogram {
public:
    /// Counts one duration. Those above 2^40 ns, 18 minutes, count as that.
    void record(std::chrono::nanoseconds duration);

    /// Adds what another histogram has counted.
    void add(const LatencyHistogram& other);

    std::uint64_t count() const { return count_; }

    /// The duration that `percent` of those recorded do not exceed, rounded up to the end of its
    /// bucket. Zero when there are none.
    std::chrono::nanoseconds percentile(double percent) const;

private:
    static constexpr unsigned bits = 5;             // 32 buckets in a power of two
    static constexpr unsigned greatest_power = 40;  // of two, in nanoseconds
    static constexpr std::size_t buckets = (greatest_power - bits + 2) << bits;

    static std::size_t bucket_of(std::uint64_t nanoseconds);
    static std::uint64_t end_of(std::size_t bucket);

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t count_ = 0;
};
