// The exercises of chapter 09: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --greeting each client gets the line first, and then its echo", "[.exercise]") {
    const std::string greeting = "welcome to a server that is never idle";
    const Server server({.arguments = {"--port", "0", "--greeting", greeting}});
    Client silent(server);
    REQUIRE(silent.receive(greeting.size() + 1) == greeting + "\n");
    // What the client has sent meanwhile comes after it.
    server.stop_all();
    Client in_a_hurry(server);
    in_a_hurry.send("hello");
    in_a_hurry.half_close();
    server.continue_all();
    REQUIRE(in_a_hurry.receive_to_end() == greeting + "\nhello");
    REQUIRE(silent.exchange("hello") == "hello");

    if (can_attach_strace()) {
        // Where there is no room for the line yet, it comes later.
        const FaultInjection no_room(server, "sendto:error=EAGAIN:when=1..3");
        Client slow(server);
        REQUIRE(slow.receive(greeting.size() + 1) == greeting + "\n");
        REQUIRE(no_room.count() == 3);
    }
}
