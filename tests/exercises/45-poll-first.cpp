// The exercises of chapter 45: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --wait-for-memory a message for which there was no memory is echoed later",
          "[.exercise]") {
    require_io_uring();
    require_failing_allocations();
    const Server server(
        {.arguments = {"--port", "0", "--wait-for-memory", "1"}, .allocations_can_fail = true});
    Client unlucky(server);
    Client other(server);
    REQUIRE(unlucky.exchange("hello") == "hello");
    REQUIRE(other.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.fail_allocation(1);
    unlucky.send("once more");
    REQUIRE(unlucky.receive(9) == "once more");
    REQUIRE(other.exchange("still there?") == "still there?");
    REQUIRE(server.diagnostics() == "an allocation has failed\n");  // By the test; and no more.
}
