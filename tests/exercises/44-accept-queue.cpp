// The exercises of chapter 44: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("with --report-queue a server says at its end how many it has served from the queue",
          "[.exercise]") {
    require_io_uring();
    const StartSettings settings{
        .arguments = {"--port", "0", "--drain-timeout", "86400000", "--report-queue", "1"}};
    Server server(settings);
    Client visitor(server);
    REQUIRE(visitor.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    server.signal(SIGTERM);
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end() == "hello");
    }
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    // The first one may have been accepted by the accept that was in flight.
    REQUIRE_THAT(server.diagnostics(), Matches("accept queue: [45] served\n"));

    Server empty(settings);
    wait_until_at_rest(empty);
    empty.signal(SIGTERM);
    REQUIRE(empty.wait_for_exit() == "exit 0");
    REQUIRE(empty.diagnostics().empty());
}
