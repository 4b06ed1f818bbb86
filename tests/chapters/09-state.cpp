// Chapter 09: one thread, and what it has to remember of a client in a struct.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("a client that does not read stops no other client", "[why]") {
    REQUIRE(beside_a_client_that_does_not_read(chapter_before()) == "the other client waits");
    REQUIRE(beside_a_client_that_does_not_read(chapter_under_test()) ==
            "the other client is served");
}

TEST_CASE("the server never sleeps in a call, not for a client that does not read either",
          "[promise]") {
    const Server server;
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    Client greedy(server);
    const std::string sent = send_until_server_is_held_back(greedy);
    Client active(server);
    REQUIRE(active.exchange("hello") == "hello");
    require_never_asleep(server, active);
}

TEST_CASE("a client that is held back costs one send in a round, and is not read from",
          "[promise]") {
    require_strace();
    const Server server;
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    const std::string silent_read = "read(" + std::to_string(newest_descriptor(server)) + ",";
    Client greedy(server);
    const std::string sent = send_until_server_is_held_back(greedy);
    const SystemCallTrace trace(server, "accept4,read,sendto");
    wait_until("fifty rounds have been seen", [&] { return trace.count("accept4") >= 50; });
    // From one accept4 to the next.
    int sends = 0;
    int reads = 0;
    bool is_whole = false;
    for (const std::string& line : trace.lines()) {
        if (line.starts_with("accept4(")) {
            if (is_whole) {
                REQUIRE(sends == 1);
                REQUIRE(reads == 1);
            }
            sends = 0;
            reads = 0;
            is_whole = true;
        } else if (line.starts_with("sendto(")) {
            ++sends;
        } else {
            REQUIRE(line.starts_with(silent_read));
            ++reads;
        }
    }
}

TEST_CASE("a client that stops reading and goes on, again and again, has every byte in order",
          "[promise][wire]") {
    const Server server;
    Client client(server, {.receive_buffer = 16 * 1024});
    std::string sent;
    std::string received;
    for (unsigned i = 0; i < 5; ++i) {
        sent += send_until_server_is_held_back(client, i);
        received += client.receive(sent.size() / 2 - received.size() / 2);
    }
    client.half_close();
    received += client.receive_to_end();
    const bool same = received == sent;
    REQUIRE(same);
}

TEST_CASE("an idle server burns processor time", "[limit]") {
    REQUIRE(beside_a_silent_client(chapter_under_test()) == "the server burns processor time");
}

TEST_CASE("each client that has sent much keeps a buffer, also when it is silent", "[limit]") {
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "each silent client keeps a buffer");
}
