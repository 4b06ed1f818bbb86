// Chapter 02: no client, no signal and no shortage ends the server or loses a byte.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/faults.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

TEST_CASE("a client that resets the connection ends alone", "[why]") {
    REQUIRE(reset_by_a_client(chapter_before()) == "exit 1, error: read: Connection reset by peer");
    REQUIRE(reset_by_a_client(chapter_under_test()) == "the server lives");
}

TEST_CASE("a client that is gone before it is answered ends alone", "[why]") {
    REQUIRE(client_gone_before_it_is_answered(chapter_before()) == "killed by SIGPIPE");
    REQUIRE(client_gone_before_it_is_answered(chapter_under_test()) == "the server lives");
}

TEST_CASE("a write that a stop cuts short is taken up again", "[why]") {
    REQUIRE(stopped_and_continued_while_sending(chapter_before()) == "bytes were lost");
    REQUIRE(stopped_and_continued_while_sending(chapter_under_test()) == "every byte came back");
}

TEST_CASE("an error of a client's connection is reported with the client's address", "[promise]") {
    const Server server;
    Client client(server);
    client.exchange("hello");
    client.reset();
    wait_until("the server reports the client", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection reset by peer\n"));
}

TEST_CASE("a call that a signal interrupts is made again", "[promise]") {
    if (!can_inject_faults()) {
        SKIP("strace may not trace here");
    }
    const std::string call = GENERATE("accept", "read", "sendto");
    CAPTURE(call);
    const Server server;
    const FaultInjection interrupted(server, call + ":error=EINTR:when=1+2");
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    REQUIRE(interrupted.count() >= 3);
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a connection that fails before it is accepted does not stop the server", "[promise]") {
    if (!can_inject_faults()) {
        SKIP("strace may not trace here");
    }
    const std::string error = GENERATE("ECONNABORTED", "EPROTO", "ENETDOWN", "EHOSTUNREACH", "EPERM");
    CAPTURE(error);
    const Server server;
    const FaultInjection failed(server, "accept:error=" + error + ":when=1+2");
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
    }
    REQUIRE(failed.count() >= 3);
}

TEST_CASE("without a free descriptor the server waits, and serves as soon as there is one",
          "[promise]") {
    const Server server;
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    server.limit(RLIMIT_NOFILE, 4);  // stdin, stdout, stderr and the listener.
    first.half_close();
    Client second(server);
    second.send("hello");
    const std::string complaint = "accept, trying again: Too many open files\n";
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring(complaint));

    using namespace std::chrono_literals;
    REQUIRE(proc::cpu_time_during(server.pid(), 500ms) <= 50ms);
    REQUIRE(server.diagnostics().size() < 50 * complaint.size());
    REQUIRE_FALSE(second.has_input());

    server.limit(RLIMIT_NOFILE, 5);
    REQUIRE(second.receive(5) == "hello");
}

TEST_CASE("the second client waits for the first to leave", "[limit]") {
    REQUIRE(second_client_beside_a_silent_one(chapter_under_test()) ==
            "the second client waits in the accept queue");
}
