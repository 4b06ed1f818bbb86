// The exercises of chapter 50: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --quota a client that has sent more than that has its echo, and the end of the file",
    "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--quota", "1000"}});
    Client much(server);
    const std::string part(600, 'x');
    REQUIRE(much.exchange(part) == part);
    REQUIRE(much.exchange(part) == part);
    REQUIRE(much.receive_to_end().empty());
    Client enough(server);  // The number is a client's own.
    const std::string all(1000, 'y');
    REQUIRE(enough.exchange(all) == all);
    REQUIRE(enough.exchange("z") == "z");
    REQUIRE(enough.receive_to_end().empty());

    const Server generous({.arguments = {"--port", "0"}});
    Client client(generous);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange(part) == part);
    }
}
