// `drain`: a signal ends the server in good order. What every later chapter promises, too, is in
// contract/drain.cpp and runtime/groups.cpp.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"

TEST_CASE("stopping the server loses no byte that it had received", "[why]") {
    require_io_uring();
    REQUIRE(stopped_with_bytes_unread(chapter_before()) == "bytes were lost, killed by SIGTERM");
    REQUIRE(stopped_with_bytes_unread(chapter_under_test()) == "every byte came back, exit 0");
}
