// `epoll-edge`: epoll, edge-triggered.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

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

// An edge comes once: whoever does not look until EAGAIN has lost what was left.
TEST_CASE("bytes, end of file and clients that come in one go are all seen", "[promise][wire]") {
    const Server server;
    for (unsigned i = 0; i < 30; ++i) {
        server.stop_all();
        std::vector<Client> clients;
        for (unsigned j = 0; j < 5; ++j) {
            clients.emplace_back(server);
            clients.back().send(random_bytes(1 + 20000 * j, i));
            clients.back().half_close();
        }
        server.continue_all();
        for (unsigned j = 0; j < 5; ++j) {
            CAPTURE(i, j);
            const bool same = clients[j].receive_to_end() == random_bytes(1 + 20000 * j, i);
            REQUIRE(same);
        }
    }
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
