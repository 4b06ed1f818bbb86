// The exercises of chapter 12: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE(
    "between two SIGUSR1 no client is accepted, and afterwards also those are that came meanwhile",
    "[.exercise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 2);
    for (int i = 0; i < 2; ++i) {
        server.signal(SIGUSR1);
        wait_until_at_rest(server);
        Client waits(server);
        waits.send("hello");
        Client waits_too(server);
        waits_too.send("hello");
        wait_until_at_rest(server);
        REQUIRE(proc::is_asleep(server.pid()));
        REQUIRE(server.count_clients() == 2);
        REQUIRE(proc::accept_queue_length(server.endpoint()) == 2);
        REQUIRE(clients.front().exchange("still there?") == "still there?");
        // No more signals come for those that wait.
        server.signal(SIGUSR1);
        REQUIRE(waits.receive(5) == "hello");
        REQUIRE(waits_too.receive(5) == "hello");
        waits.half_close();
        REQUIRE(waits.receive_to_end().empty());
        waits_too.half_close();
        REQUIRE(waits_too.receive_to_end().empty());
    }
}
