// The exercises of chapter 38: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("with --places a newcomer has the place of the client that has been there longest",
          "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--places", "2"}});
    Client first(server);
    REQUIRE(first.exchange("one") == "one");
    Client second(server);
    REQUIRE(second.exchange("two") == "two");
    REQUIRE(first.exchange("still here") == "still here");

    // The first one is silent.
    Client third(server);
    REQUIRE(third.exchange("three") == "three");
    REQUIRE(first.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Operation canceled\n"));

    // The second one does not read its echo.
    send_until_server_is_held_back(second);
    Client fourth(server);
    REQUIRE(fourth.exchange("four") == "four");
    wait_until("the second one is gone", [&] { return server.count_clients() == 2; });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client .*: read: Operation canceled\n"
                         "client 127\\.0\\.0\\.1:[0-9]+: send: Operation canceled\n"));

    // The third one sends something in the moment in which the fifth one comes.
    wait_until_at_rest(server);
    server.stop_all();
    Client fifth(server);
    third.send("I am not asleep");
    server.continue_all();
    REQUIRE(fifth.exchange("five") == "five");
    wait_until("the third one is gone", [&] { return server.count_clients() == 2; });
    REQUIRE(fourth.exchange("four") == "four");

    // Who leaves by itself leaves its place to the next.
    fourth.half_close();
    REQUIRE(fourth.receive_to_end().empty());
    Client sixth(server);
    REQUIRE(sixth.exchange("six") == "six");
    REQUIRE(fifth.exchange("five") == "five");
}
