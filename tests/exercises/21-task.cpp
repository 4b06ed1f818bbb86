// The exercises of chapter 21: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --farewell each client gets the line behind its echo, however slowly it reads",
          "[.exercise]") {
    const std::string farewell(100'000, 'z');
    const Server server({.arguments = {"--port", "0", "--farewell", farewell}});
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");

    Client silent(server);
    silent.half_close();
    REQUIRE(silent.receive_to_end() == farewell + "\n");

    Client in_a_hurry(server);
    server.stop_all();
    in_a_hurry.send("hello");
    in_a_hurry.half_close();
    server.continue_all();
    REQUIRE(in_a_hurry.receive_to_end() == "hello" + farewell + "\n");

    if (can_attach_strace()) {
        // Where there is no room for the line yet, it comes later.
        const FaultInjection no_room(server, "sendto:error=EAGAIN:when=2..3");
        Client slow(server);
        slow.send("hello");
        slow.half_close();
        REQUIRE(slow.receive_to_end() == "hello" + farewell + "\n");
        REQUIRE(no_room.count() == 2);
    }
    REQUIRE(stays.exchange("still there?") == "still there?");
}
