// Chapter 08: one thread, nonblocking sockets, a turn for everybody.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("a silent client keeps nobody waiting, without a thread for anybody", "[why]") {
    REQUIRE(third_client_beside_two_silent_ones(chapter_before(), {"--workers", "2"}) ==
            "the third client waits for a thread");
    REQUIRE(third_client_beside_two_silent_ones(chapter_under_test(), {}) ==
            "the third client is served");
    REQUIRE(threads_for_200_idle_clients(chapter_under_test()) == "no thread for any client");
}

TEST_CASE("accept and read come back with nothing instead of waiting", "[promise]") {
    require_strace();
    const Server server;
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "accept4,read");
    wait_until("both calls have come back with nothing, a hundred times", [&] {
        std::size_t accepts = 0;
        std::size_t reads = 0;
        for (const std::string& line : trace.lines()) {
            const bool would_block = line.find("= -1 EAGAIN") != std::string::npos;
            accepts += would_block && line.starts_with("accept4(") ? 1 : 0;
            reads += would_block && line.starts_with("read(") ? 1 : 0;
        }
        return accepts >= 100 && reads >= 100;
    });
}

TEST_CASE("the server never sleeps in a call", "[promise]") {
    const Server server;
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    Client active(server);
    REQUIRE(active.exchange("hello") == "hello");
    require_never_asleep(server, active);
}

TEST_CASE("every client has one turn in a round", "[promise]") {
    require_strace();
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 3);
    const SystemCallTrace trace(server, "accept4,read");
    wait_until("fifty rounds have been seen", [&] { return trace.count("accept4") >= 50; });
    // From one accept4 to the next: three reads, each from another client.
    const std::vector<std::string> lines = trace.lines();
    std::string round;
    bool is_whole = false;
    for (const std::string& line : lines) {
        if (line.starts_with("accept4(")) {
            if (is_whole) {
                REQUIRE(round.size() == 3 * std::string("read(4,").size());
                for (const char* read : {"read(4,", "read(5,", "read(6,"}) {
                    REQUIRE(round.find(read) != std::string::npos);
                }
            }
            round.clear();
            is_whole = true;
        } else {
            round += line.substr(0, line.find(',') + 1);
        }
    }
}

TEST_CASE("all clients share one buffer, the one on the stack", "[promise]") {
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "silent clients keep no buffer");
}

TEST_CASE("when a client that did not read leaves, the others are served again", "[promise]") {
    const Server server;
    Client active(server);
    REQUIRE(active.exchange("hello") == "hello");
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    active.send("still there?");
    greedy.reset();
    REQUIRE(active.receive(12) == "still there?");
}

TEST_CASE("an idle server burns processor time", "[limit]") {
    REQUIRE(beside_a_silent_client(chapter_under_test()) == "the server burns processor time");
}

TEST_CASE("one client that does not read stops all others", "[limit]") {
    REQUIRE(beside_a_client_that_does_not_read(chapter_under_test()) == "the other client waits");
}
