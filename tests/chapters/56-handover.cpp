// `handover`: what this chapter promises beside the contract.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/notifications.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("a new version that does not start is no end of the service", "[why]") {
    require_io_uring();
    REQUIRE(new_version_that_fails(chapter_before()) == "no server is left");
    REQUIRE(new_version_that_fails(chapter_under_test()) == "the old version goes on");
}

TEST_CASE("a client that the old version has, and that is silent, is told the end", "[limit]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    upgrade(server.pid(), manager);
    REQUIRE(client.receive_to_end().empty());
}
