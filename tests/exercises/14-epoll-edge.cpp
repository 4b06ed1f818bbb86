// The exercises of chapter 14: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --bytes-per-client 1000 each client gets a thousand bytes back, then end of file, and no "
    "reset",
    "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--bytes-per-client", "1000"}});
    const std::string bytes = random_bytes(1'000'000);

    Client exact(server);
    REQUIRE(exact.exchange(bytes.substr(0, 400)) == bytes.substr(0, 400));
    REQUIRE(exact.exchange(bytes.substr(400, 600)) == bytes.substr(400, 600));
    REQUIRE(exact.receive_to_end().empty());

    // All of it is news at once, in one edge.
    Client sends_on(server);
    server.stop_all();
    sends_on.send(bytes.substr(0, 50'000));
    server.continue_all();
    REQUIRE(sends_on.receive_to_end() == bytes.substr(0, 1000));
    sends_on.send(bytes);  // More than the kernel keeps: the server takes it.
    wait_until("the server's kernel has everything",
               [&] { return sends_on.unacknowledged() == 0; });
    REQUIRE(server.count_clients() == 2);

    exact.half_close();
    sends_on.half_close();
    wait_until("both are gone", [&] { return server.count_clients() == 0; });
    REQUIRE(server.diagnostics().empty());
}
