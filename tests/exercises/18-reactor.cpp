// The exercises of chapter 18: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("with --second-port the server announces two addresses and serves the clients of both",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--second-port", "0"}});
    const Endpoint& first_door = server.endpoint();
    const Endpoint second_door = parse_ready_line(server.read_line());
    REQUIRE(first_door.port != second_door.port);
    for (int i = 0; i < 3; ++i) {
        Client one(first_door);
        Client other(second_door);
        REQUIRE(one.exchange("hello") == "hello");
        REQUIRE(other.exchange("hello, too") == "hello, too");
        one.half_close();
        REQUIRE(one.receive_to_end().empty());
        REQUIRE(other.exchange("still there?") == "still there?");
        other.half_close();
        REQUIRE(other.receive_to_end().empty());
    }
}
