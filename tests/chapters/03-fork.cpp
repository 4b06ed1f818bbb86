// Chapter 03: a process for every client.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("the second client is served beside a silent first one", "[why]") {
    REQUIRE(second_client_beside_a_silent_one(chapter_before()) ==
            "the second client waits in the accept queue");
    REQUIRE(second_client_beside_a_silent_one(chapter_under_test()) ==
            "the second client is served");
}
