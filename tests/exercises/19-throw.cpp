// The exercises of chapter 19: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("with --last-word a client that says it ends the server, and everybody with it",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--last-word", "goodbye"}});
    Client silent(server);
    Client speaks(server);
    REQUIRE(silent.exchange("hello") == "hello");
    REQUIRE(speaks.exchange("goodby") == "goodby");
    REQUIRE(speaks.exchange("goodbye!") == "goodbye!");
    {
        Client resets(server);
        REQUIRE(resets.exchange("hello") == "hello");
        resets.reset();  // An error of this client alone, still.
    }
    REQUIRE(silent.exchange("still there?") == "still there?");

    speaks.send("goodbye");
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(speaks.receive_to_end().empty());
    REQUIRE(silent.receive_to_end().empty());
    REQUIRE(server.diagnostics().ends_with("error: the last word has been said\n"));
}
