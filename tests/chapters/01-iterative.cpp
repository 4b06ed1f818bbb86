// `iterative`: what an iterative server promises, and the flaws that the next chapters mend.

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE("one process with one thread serves everybody", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    REQUIRE(proc::count_threads(server.pid()) == 1);
    REQUIRE(proc::children(server.pid()).empty());
}

TEST_CASE("a client that has left leaves no descriptor behind", "[promise]") {
    const Server server;
    const std::size_t only_the_listener = proc::count_sockets(server.pid());
    REQUIRE(only_the_listener == 1);
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        REQUIRE(proc::count_sockets(server.pid()) == 2);
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    wait_until("only the listener is open",
               [&] { return proc::count_sockets(server.pid()) == only_the_listener; });
}

TEST_CASE("clients that wait are served in the order in which they connected", "[promise]") {
    const Server server;
    Client first(server);
    first.exchange("hello");
    Client second(server);
    Client third(server);
    third.send("third");
    second.send("second");
    first.half_close();
    REQUIRE(second.receive(6) == "second");
    REQUIRE_FALSE(third.has_input());
    second.half_close();
    REQUIRE(third.receive(5) == "third");
}

TEST_CASE("a client that resets the connection ends the server", "[limit]") {
    REQUIRE(reset_by_a_client(chapter_under_test()) ==
            "exit 1, error: read: Connection reset by peer");
}

TEST_CASE("a client that is gone before it is answered ends the server with SIGPIPE", "[limit]") {
    REQUIRE(client_gone_before_it_is_answered(chapter_under_test()) == "killed by SIGPIPE");
}

TEST_CASE("a write that a stop cuts short loses data", "[limit]") {
    REQUIRE(stopped_and_continued_while_sending(chapter_under_test()) == "bytes were lost");
}

TEST_CASE("the second client waits for the first to leave", "[limit]") {
    REQUIRE(second_client_beside_a_silent_one(chapter_under_test()) ==
            "the second client waits in the accept queue");
}
