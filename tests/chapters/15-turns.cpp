// Chapter 15: every turn ends with an answer, and the listener has turns like a client.

#include <catch2/catch_test_macros.hpp>
#include <cstddef>

#include "chapters/scenarios.hpp"
#include "support/strace.hpp"

TEST_CASE("for small echoes the server makes the same system calls as before it asked for answers",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

TEST_CASE("a client that connects before others speak is let in before they have their turns",
          "[why]") {
    require_strace();
    REQUIRE(client_at_the_door_before_a_line(chapter_before()) == "the new client comes last");
    REQUIRE(client_at_the_door_before_a_line(chapter_under_test()) == "first come, first served");
}

TEST_CASE("a client whom epoll cannot take is turned away, and the others stay", "[promise]") {
    require_strace();
    require_turned_away_without_room_in_epoll();
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}
