// The exercises of chapter 23: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
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

    Client slow(server, {.receive_buffer = 4096});
    const std::string sent = send_until_server_is_held_back(slow);
    slow.half_close();
    const bool same = slow.receive_to_end() == sent + farewell + "\n";
    REQUIRE(same);

    if (can_attach_strace()) {
        // The second call says that it has taken one byte, and has taken none. The others follow.
        const FaultInjection short_send(server, "sendto:retval=1:when=2");
        Client client(server);
        client.send("hello");
        client.half_close();
        REQUIRE(client.receive_to_end() == "hello" + farewell.substr(1) + "\n");
        REQUIRE(short_send.count() == 1);
    }
    REQUIRE(stays.exchange("still there?") == "still there?");
}
