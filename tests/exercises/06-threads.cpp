// The exercises of chapter 06: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

namespace {

/// A server that serves so many clients at a time.
StartSettings with_places(const std::string& count) {
    return {.arguments = {"--port", "0", "--max-clients", count}};
}

}  // namespace

TEST_CASE("with --max-clients 2 the third client waits in the accept queue until a place is free",
          "[.exercise]") {
    const Server server(with_places("2"));
    std::vector<Client> clients = connect_clients(server, 2);
    Client third(server);
    third.send("hello");
    wait_until_at_rest(server);
    REQUIRE(server.count_clients() == 2);
    REQUIRE(proc::accept_queue_length(server.endpoint()) == 1);
    clients.back().reset();
    REQUIRE(third.receive(5) == "hello");
    REQUIRE(clients.front().exchange("still there?") == "still there?");

    // A client that is turned away leaves its place to the next one.
    StartSettings without_threads = with_places("1");
    without_threads.max_processes = 1;
    without_threads.unprivileged = true;
    const Server poor_server(without_threads);
    for (int i = 0; i < 3; ++i) {
        Client turned_away(poor_server);
        REQUIRE(turned_away.receive_to_end().empty());
    }
}
