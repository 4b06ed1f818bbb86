// The exercises of chapter 19: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --password a client is served when its first line is that word, in however many "
    "pieces it comes",
    "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--password", "sesame"}});
    Client at_once(server);
    at_once.send("sesame\nhello");
    REQUIRE(at_once.receive(5) == "hello");
    REQUIRE(at_once.exchange("sesame\nagain") == "sesame\nagain");

    Client in_pieces(server);
    for (const char letter : std::string("sesam")) {
        in_pieces.send(std::string(1, letter));
        wait_until_at_rest(server);  // Each letter is read alone.
    }
    Client meanwhile(server);
    meanwhile.send("sesame\n");
    REQUIRE(meanwhile.exchange("hello") == "hello");
    in_pieces.send("e\nopen");
    REQUIRE(in_pieces.receive(4) == "open");

    for (const char* word : {"sesam\n", "sesames\n", "\n", "open sesame\n"}) {
        Client stranger(server);
        stranger.send(word);
        REQUIRE(stranger.receive_to_end().empty());
    }
    REQUIRE(at_once.exchange("still there?") == "still there?");
}
