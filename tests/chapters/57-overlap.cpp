// `overlap`: what this chapter promises beside the contract.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/notifications.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("a client that is silent during an upgrade is served on", "[why]") {
    require_io_uring();
    REQUIRE(silent_client_in_an_upgrade(chapter_before()) == "the client is told the end");
    REQUIRE(silent_client_in_an_upgrade(chapter_under_test()) == "the client is served on");
}

TEST_CASE("each version has a limit of its own: together they serve twice as many clients",
          "[limit]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--max-clients", "1"}}));
    REQUIRE(manager.next() == "READY=1");
    Client old(server);
    REQUIRE(old.exchange("hello") == "hello");
    upgrade(server.pid(), manager);
    wait_until("the old version listens no more",
               [&] { return proc::count_sockets(server.pid()) == 1; });
    Client newcomer(server);
    REQUIRE(newcomer.exchange("hello") == "hello");
    REQUIRE(old.exchange("hello") == "hello");
}

TEST_CASE("a signal to a version that has been replaced already ends it at once", "[limit]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    upgrade(server.pid(), manager);
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "killed by SIGTERM");
}
