#include "bench/disturbance.hpp"

#include <unistd.h>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <sstream>
#include <stdexcept>

using std::chrono::milliseconds;

TEST_CASE("the idle and the stolen time are read to the tick") {
    std::istringstream text(
        "cpu  9 9 9 9 9 9 9 9 9 9\n"
        "cpu0 1 2 3 1004 5 6 7 8 9 10\n"
        "cpu1 11 12 13 151 16 16 17 18 19 20\n"
        "intr 1 2 3\n");
    const ProcessorUse use = read_processor_line(text, 1);
    const long ticks_a_second = ::sysconf(_SC_CLK_TCK);
    REQUIRE(use.idle == milliseconds{(151 + 16) * 1000 / ticks_a_second});
    REQUIRE(use.stolen == milliseconds{18 * 1000 / ticks_a_second});
}

TEST_CASE("a processor that is not there is said to be missing") {
    std::istringstream text("cpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n");
    REQUIRE_THROWS_AS(read_processor_line(text, 1), std::runtime_error);
}

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
