#include "bench/histogram.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>

using std::chrono::nanoseconds;

TEST_CASE("a histogram with nothing in it has no latency") {
    const LatencyHistogram histogram;
    REQUIRE(histogram.count() == 0);
    REQUIRE(histogram.percentile(99) == nanoseconds{0});
}

TEST_CASE("short durations are recorded to the nanosecond") {
    for (int length = 0; length < 64; ++length) {
        LatencyHistogram histogram;
        histogram.record(nanoseconds{length});
        REQUIRE(histogram.percentile(50) == nanoseconds{length});
    }
}

TEST_CASE("a percentile is never below the duration and at most a 32nd above it") {
    for (std::int64_t length = 1; length < std::int64_t{1} << 40; length = length * 9 / 8 + 1) {
        LatencyHistogram histogram;
        histogram.record(nanoseconds{length});
        const std::int64_t told = histogram.percentile(100).count();
        CAPTURE(length, told);
        REQUIRE(told >= length);
        REQUIRE(told - length <= length / 32);
    }
}

TEST_CASE("a duration beyond the greatest counts as the greatest") {
    LatencyHistogram histogram;
    histogram.record(nanoseconds{std::int64_t{1} << 50});
    REQUIRE(histogram.count() == 1);
    REQUIRE(histogram.percentile(50) >= nanoseconds{std::int64_t{1} << 40});
    REQUIRE(histogram.percentile(50) < nanoseconds{std::int64_t{1} << 41});
}

TEST_CASE("a percentile counts the durations that are not longer") {
    LatencyHistogram histogram;
    for (int length = 1; length <= 50; ++length) {
        histogram.record(nanoseconds{length});
    }
    REQUIRE(histogram.percentile(50) == nanoseconds{25});
    REQUIRE(histogram.percentile(98) == nanoseconds{49});
    REQUIRE(histogram.percentile(98.1) == nanoseconds{50});
    REQUIRE(histogram.percentile(100) == nanoseconds{50});
    REQUIRE(histogram.percentile(0) == nanoseconds{1});
}

TEST_CASE("a histogram takes in what another has counted") {
    LatencyHistogram sum;
    LatencyHistogram other;
    sum.record(nanoseconds{1});
    other.record(nanoseconds{2});
    other.record(nanoseconds{3});
    sum.add(other);
    REQUIRE(sum.count() == 3);
    REQUIRE(sum.percentile(50) == nanoseconds{2});
    REQUIRE(sum.percentile(100) == nanoseconds{3});
}
