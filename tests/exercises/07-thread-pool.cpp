// The exercises of chapter 07: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE(
    "with --turn-away 1 a client that finds the queue full is turned away, and those before it are "
    "served",
    "[.exercise]") {
    const Server server(
        {.arguments = {"--port", "0", "--workers", "1", "--queue", "1", "--turn-away", "1"}});
    std::vector<Client> served = connect_clients(server, 1);
    Client waits(server);
    waits.send("hello");
    wait_until("the second client has been accepted", [&] { return server.count_clients() == 2; });
    std::string complaints;
    for (int i = 0; i < 3; ++i) {
        Client turned_away(server);
        REQUIRE(turned_away.receive_to_end().empty());
        complaints += "client 127\\.0\\.0\\.1:[0-9]+ turned away: the queue is full\n";
    }
    wait_until("the server has said so three times",
               [&] { return count_lines(server.diagnostics()) == 3; });
    REQUIRE_THAT(server.diagnostics(), Matches(complaints));
    REQUIRE_FALSE(waits.has_input());
    served.clear();
    REQUIRE(waits.receive(5) == "hello");
}
