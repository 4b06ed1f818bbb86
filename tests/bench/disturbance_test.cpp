#include "bench/disturbance.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

using std::chrono::milliseconds;

TEST_CASE("what is neither idle nor stolen nor our own was others' work") {
    const ProcessorUse use{.elapsed = milliseconds{1000},
                           .idle = milliseconds{100},
                           .stolen = milliseconds{50},
                           .own = milliseconds{600}};
    REQUIRE(use.share_of_others() == Catch::Approx(0.25));
    REQUIRE(use.share_stolen() == Catch::Approx(0.05));
}

TEST_CASE("others have done nothing where more was accounted for than time has passed") {
    // Ticks of 10 ms are rounded.
    const ProcessorUse use{
        .elapsed = milliseconds{1000}, .idle = milliseconds{110}, .own = milliseconds{900}};
    REQUIRE(use.share_of_others() == 0);
}

TEST_CASE("no time is no disturbance") {
    REQUIRE(ProcessorUse{}.share_of_others() == 0);
    REQUIRE(ProcessorUse{}.share_stolen() == 0);
}
