// The exercises of chapter 42: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("SIGQUIT evicts all who are here and ends the server with 0, also while it drains",
          "[.exercise]") {
    require_io_uring();
    const StartSettings settings{.arguments = {"--port", "0", "--drain-timeout", "86400000"}};
    Server empty(settings);
    wait_until_at_rest(empty);
    empty.signal(SIGQUIT);
    REQUIRE(empty.wait_for_exit() == "exit 0");
    REQUIRE(empty.diagnostics().empty());

    Server busy(settings);
    Client greedy(busy);
    send_until_server_is_held_back(greedy);
    busy.signal(SIGQUIT);
    REQUIRE(busy.wait_for_exit() == "exit 0");
    REQUIRE(busy.diagnostics() == "drain: 1 evicted\n");

    Server draining(settings);
    Client stays(draining);
    REQUIRE(stays.exchange("hello") == "hello");
    draining.signal(SIGTERM);
    wait_until("the listener is closed", [&] {
        try {
            const Client another(draining);
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::connection_refused;
        }
    });
    REQUIRE(stays.exchange("still there?") == "still there?");
    draining.signal(SIGQUIT);
    REQUIRE(draining.wait_for_exit() == "exit 0");
    REQUIRE(draining.diagnostics() == "drain: 1 evicted\n");
}
