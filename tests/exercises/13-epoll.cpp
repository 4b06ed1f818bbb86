// The exercises of chapter 13: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --max-clients 2 the third client waits in the accept queue, and the server sleeps",
          "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--max-clients", "2"}});
    std::vector<Client> clients = connect_clients(server, 2);
    for (int i = 0; i < 3; ++i) {
        Client third(server);
        third.send("hello");
        wait_until_at_rest(server);
        REQUIRE(proc::is_asleep(server.pid()));
        REQUIRE(server.count_clients() == 2);
        REQUIRE(proc::accept_queue_length(server.endpoint()) == 1);
        REQUIRE(clients.front().exchange("still there?") == "still there?");
        clients.erase(clients.begin());
        REQUIRE(third.receive(5) == "hello");
        clients.push_back(std::move(third));
    }
}
