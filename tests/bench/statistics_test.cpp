#include "bench/statistics.hpp"

#include <catch2/catch_test_macros.hpp>
#include <numeric>

namespace {

/// 1 to `count`, the greatest first: what is wanted is not the order in which they came.
std::vector<double> down_from(int count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    std::iota(values.rbegin(), values.rend(), 1.0);
    return values;
}

}  // namespace

TEST_CASE("the median is the middle value, or between the two middle ones") {
    REQUIRE(median({5}) == 5);
    REQUIRE(median({9, 1, 5}) == 5);
    REQUIRE(median({9, 1, 5, 6}) == 5.5);
}

TEST_CASE("five values are too few for an interval of 95%, and six are enough") {
    REQUIRE_FALSE(median_interval({}));
    REQUIRE_FALSE(median_interval(down_from(5)));  // 2 / 2^5 is 6.25%.
    const auto interval = median_interval(down_from(6));
    REQUIRE(interval);
    REQUIRE(interval->low == 1);
    REQUIRE(interval->high == 6);
}

TEST_CASE("the interval reaches between the ranks that tables of the sign test name") {
    // Conover, Practical Nonparametric Statistics: the ranks for 95% at these sizes.
    struct Row {
        int count, low, high;
    };
    for (const Row row : {Row{8, 1, 8}, Row{9, 2, 8}, Row{12, 3, 10}, Row{14, 3, 12},
                          Row{20, 6, 15}, Row{25, 8, 18}, Row{50, 18, 33}}) {
        const auto interval = median_interval(down_from(row.count));
        CAPTURE(row.count);
        REQUIRE(interval);
        REQUIRE(interval->low == row.low);
        REQUIRE(interval->high == row.high);
    }
}

TEST_CASE("an interval exists for very many values, too") {
    const auto interval = median_interval(down_from(5000));
    REQUIRE(interval);
    REQUIRE(interval->low > 2400);  // 2500 less 1.96 times half the root of 5000, which is 69.
    REQUIRE(interval->low < 2440);
    REQUIRE(interval->low + interval->high == 5001);
}
