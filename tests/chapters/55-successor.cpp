// `successor`: what this chapter promises beside the contract.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/installed.hpp"
#include "support/notifications.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("after SIGHUP a new client is served, by the next version", "[why]") {
    require_io_uring();
    REQUIRE(client_after_a_hangup(chapter_before()) == "killed by SIGHUP");
    REQUIRE(client_after_a_hangup(chapter_under_test()) == "the client is served");
}

TEST_CASE("a new version that does not start leaves no server", "[limit]") {
    require_io_uring();
    Installed installed(chapter_under_test());
    Server server(installed.chapter());
    installed.install_script("exit 3");
    server.signal(SIGHUP);
    REQUIRE(server.wait_for_exit() == "exit 0");
    wait_until("nobody listens any more", [&] {
        try {
            const Client client(server);
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::connection_refused;
        }
    });
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
