// The exercises of chapter 48: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --make-room the client that came first makes room for the one that comes",
          "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--max-clients", "2", "--make-room", "1"}});
    Client first(server);
    REQUIRE(first.exchange("one") == "one");
    Client second(server);
    REQUIRE(second.exchange("two") == "two");
    Client third(server);
    REQUIRE(third.exchange("three") == "three");
    REQUIRE(first.receive_to_end().empty());
    REQUIRE(second.exchange("two") == "two");
    third.close();
    wait_until_at_rest(server);
    // There is room: nobody has to make some.
    Client fourth(server);
    REQUIRE(fourth.exchange("four") == "four");
    REQUIRE(second.exchange("two") == "two");
    // The second is the oldest now.
    Client fifth(server);
    REQUIRE(fifth.exchange("five") == "five");
    REQUIRE(second.receive_to_end().empty());
    REQUIRE(fourth.exchange("four") == "four");

    const Server patient({.arguments = {"--port", "0", "--max-clients", "1"}});
    Client stays(patient);
    REQUIRE(stays.exchange("one") == "one");
    Client waits(patient);
    waits.send("two");
    wait_until_at_rest(patient);
    REQUIRE(stays.exchange("one") == "one");
    stays.close();
    REQUIRE(waits.receive(3) == "two");
}
