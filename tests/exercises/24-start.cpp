// The exercises of chapter 24: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

TEST_CASE("with --clients the server takes in so many, and ends when the last of them has left",
          "[.exercise]") {
    {
        Server server({.arguments = {"--port", "0", "--clients", "3"}});
        Client first(server);
        Client resets(server);
        Client last(server);
        for (Client* guest : {&first, &resets, &last}) {
            REQUIRE(guest->exchange("hello") == "hello");
        }
        Client too_late(server);
        too_late.send("hello");
        first.half_close();
        REQUIRE(first.receive_to_end().empty());
        REQUIRE(last.exchange("still there?") == "still there?");
        resets.reset();
        REQUIRE(last.exchange("and now?") == "and now?");
        REQUIRE_FALSE(too_late.has_input());
        last.half_close();
        REQUIRE(last.receive_to_end().empty());
        REQUIRE(server.wait_for_exit() == "exit 0");
        wait_until("the connection has ended", [&] { return too_late.has_input(); });
    }
    {
        // All of them are there at the same time, and one more: a turn could take in four.
        Server server({.arguments = {"--port", "0", "--clients", "2"}});
        server.stop_all();
        Client one(server);
        Client two(server);
        Client three(server);
        for (Client* guest : {&one, &two, &three}) {
            guest->send("hello");
            guest->half_close();
        }
        server.continue_all();
        REQUIRE(one.receive_to_end() == "hello");
        REQUIRE(two.receive_to_end() == "hello");
        REQUIRE(server.wait_for_exit() == "exit 0");
        REQUIRE(server.diagnostics().empty());
    }
}
