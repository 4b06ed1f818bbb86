// The exercises of chapter 15: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --last-byte a client gets back what it sent before that byte, however slowly it "
    "reads, and then the end",
    "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--last-byte", "4"}});
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");

    Client leaves(server);
    leaves.send("hello\x04");
    REQUIRE(leaves.receive_to_end() == "hello");

    Client says_nothing_else(server);
    says_nothing_else.send("\x04");
    REQUIRE(says_nothing_else.receive_to_end().empty());

    // The server finds the byte while most of what came before it is still unsent.
    Client slow(server, {.receive_buffer = 4 * 1024});
    const std::string much(200 * 1024, 'x');
    server.stop_all();
    slow.send(much + '\x04');
    server.continue_all();
    const bool same = slow.receive_to_end() == much;
    REQUIRE(same);

    REQUIRE(stays.exchange("still there?") == "still there?");
}
