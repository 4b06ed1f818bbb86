// The exercises of chapter 18: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --company a client is served when as many are there, and all of them then",
          "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--company", "3"}});
    Client first(server);
    first.send("first");
    Client second(server);
    second.send("second");
    wait_until_at_rest(server);
    REQUIRE_FALSE(first.has_input());
    REQUIRE_FALSE(second.has_input());

    Client third(server);
    REQUIRE(third.exchange("third") == "third");
    REQUIRE(first.receive(5) == "first");
    REQUIRE(second.receive(6) == "second");
    for (int i = 0; i < 3; ++i) {
        REQUIRE(first.exchange("again") == "again");
        REQUIRE(second.exchange("and again") == "and again");
    }

    Client later(server);
    REQUIRE(later.exchange("later") == "later");  // Enough have been there.
    REQUIRE(third.exchange("still there?") == "still there?");
}
