// The exercises of chapter 43: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

TEST_CASE("with --last-words each client that is told goodbye gets them behind its echo",
          "[.exercise]") {
    require_io_uring();
    const std::vector<std::string> arguments{"--port", "0", "--drain-timeout", "86400000"};
    StartSettings settings{.arguments = arguments};
    settings.arguments.insert(settings.arguments.end(), {"--last-words", "we are closing"});
    Server server(settings);
    Client idle(server);
    REQUIRE(idle.exchange("hello") == "hello");
    Client busy(server);
    REQUIRE(busy.exchange("hello") == "hello");
    {
        // Whoever goes by itself has no need of them.
        Client goes(server);
        REQUIRE(goes.exchange("hello") == "hello");
        goes.half_close();
        REQUIRE(goes.receive_to_end().empty());
    }
    server.stop_all();
    busy.send("received before the signal is taken");
    wait_until("the server's kernel has it", [&] { return busy.unacknowledged() == 0; });
    server.signal(SIGTERM);
    server.continue_all();
    REQUIRE(idle.receive_to_end() == "we are closing\n");
    REQUIRE(busy.receive_to_end() == "received before the signal is takenwe are closing\n");
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());

    Server silent({.arguments = arguments});
    Client client(silent);
    REQUIRE(client.exchange("hello") == "hello");
    silent.signal(SIGTERM);
    REQUIRE(client.receive_to_end().empty());
}
