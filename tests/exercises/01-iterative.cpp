// The exercises of chapter 01: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("with --clients 2 the server serves two clients and ends with exit code 0",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--clients", "2"}});
    for (int i = 0; i < 2; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        REQUIRE(client.exchange("still there?") == "still there?");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}
