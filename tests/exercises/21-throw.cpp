// The exercises of chapter 21: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

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

TEST_CASE("a client whom epoll cannot take is turned away by the call, and the others stay",
          "[.exercise]") {
    require_strace();
    const Server server;
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    {
        const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
        Client turned_away(server);
        REQUIRE(turned_away.receive_to_end().empty());
    }
    wait_until("the server has said so", [&] { return server.diagnostics().ends_with('\n'); });
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::Matches("client 127\\.0\\.0\\.1:[0-9]+ turned away: epoll_ctl: "
                                          "No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}
