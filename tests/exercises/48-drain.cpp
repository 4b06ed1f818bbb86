// The exercises of chapter 48: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

TEST_CASE("at SIGUSR1 the server says how many clients it has, and lives on, also while it drains",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--drain-timeout", "86400000"}});
    std::vector<Client> clients = connect_clients(server, 3);
    server.signal(SIGUSR1);
    wait_until("the server says it", [&] { return count_lines(server.diagnostics()) == 1; });
    REQUIRE(server.diagnostics() == "clients: 3\n");
    clients.clear();
    wait_until("the clients are gone", [&] { return server.count_clients() == 0; });
    server.signal(SIGUSR1);
    wait_until("the server says it again", [&] { return count_lines(server.diagnostics()) == 2; });
    REQUIRE(server.diagnostics() == "clients: 3\nclients: 0\n");

    Client slow(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(slow);
    const std::size_t unacknowledged = slow.unacknowledged();
    server.signal(SIGTERM);
    wait_until_taken_and_released(server, SIGTERM);
    server.signal(SIGUSR1);
    REQUIRE(slow.receive_to_end().size() >= sent.size() - unacknowledged);
    slow.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
}
