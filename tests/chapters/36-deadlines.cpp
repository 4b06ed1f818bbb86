// `deadlines`: whoever stalls is evicted, and an operation in flight can be cancelled. What every
// later chapter promises, too, is in contract/deadlines.cpp and runtime/deadlines.cpp.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/strace.hpp"

TEST_CASE("a client that stalls is not kept for ever", "[why]") {
    require_io_uring();
    REQUIRE(stalled_clients(chapter_before(), {}) == "both are kept");
    REQUIRE(stalled_clients(chapter_under_test(), {"--idle-timeout", "200", "--write-timeout",
                                                   "200"}) == "both are evicted");
}

TEST_CASE("deadlines cost no system call of their own", "[promise]") {
    require_io_uring();
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}
