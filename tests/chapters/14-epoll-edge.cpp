// `epoll-edge`: epoll, edge-triggered.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("a slow reader costs no change of interest", "[why]") {
    require_strace();
    REQUIRE(interest_in_a_slow_reader(chapter_before()) ==
            "a system call for each change of interest");
    REQUIRE(interest_in_a_slow_reader(chapter_under_test()) == "interest never changes");
}

TEST_CASE("a client costs one epoll_ctl in its life", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "epoll_ctl");
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    REQUIRE(trace.count("epoll_ctl") == 10);
}

TEST_CASE("a client whom epoll cannot take is turned away, and the others stay", "[promise]") {
    require_strace();
    require_turned_away_without_room_in_epoll();
}

TEST_CASE("an echo costs a read that finds nothing", "[limit]") {
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "read");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    REQUIRE(trace.count("read") == 20);
}
