// `threads`: a thread for every client.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

TEST_CASE("every client is served, however many are silent", "[why][wire]") {
    REQUIRE(third_client_beside_two_silent_ones(chapter_before(), {"--workers", "2"}) ==
            "the third client waits in the accept queue");
    REQUIRE(third_client_beside_two_silent_ones(chapter_under_test(), {}) ==
            "the third client is served");
}

TEST_CASE("a client costs a thread and no process", "[promise]") {
    const Server server;
    const std::vector<Client> first = connect_clients(server, 1);
    const std::size_t for_one = proc::count_threads(server.pid());
    const std::vector<Client> more = connect_clients(server, 50);
    REQUIRE(proc::count_threads(server.pid()) == for_one + 50);
    REQUIRE(proc::children(server.pid()).empty());
}

TEST_CASE("when a client leaves, its thread and its descriptor are gone", "[promise]") {
    const Server server;
    const std::vector<Client> stays = connect_clients(server, 1);
    const std::size_t for_one = proc::count_threads(server.pid());
    std::vector<Client> leave = connect_clients(server, 20);
    REQUIRE(proc::count_sockets(server.pid()) == 1 + 21);
    leave.clear();
    wait_until("the threads and sockets of those that left are gone", [&] {
        return proc::count_threads(server.pid()) == for_one &&
               proc::count_sockets(server.pid()) == 1 + 1;
    });
}

TEST_CASE("the stacks of threads that have ended are given back", "[promise]") {
    const Server server;
    connect_clients(server, 50);
    wait_until_at_rest(server);
    const std::size_t before = proc::reserved_bytes(server.pid());
    for (int i = 0; i < 4; ++i) {
        connect_clients(server, 50);
    }
    wait_until_at_rest(server);
    // Two hundred stacks that nobody has given back are more than a gigabyte of addresses.
    constexpr std::size_t mib = 1024 * 1024;
    REQUIRE(proc::reserved_bytes(server.pid()) < before + 400 * mib);
}

TEST_CASE("a client that resets beside others ends alone", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    for (int i = 0; i < 5; ++i) {
        clients[static_cast<std::size_t>(i)].reset();
    }
    wait_until("the server has reported all five",
               [&] { return count_lines(server.diagnostics()) == 5; });
    for (std::size_t i = 5; i < 10; ++i) {
        REQUIRE(clients[i].exchange("still there?") == "still there?");
    }
}

TEST_CASE("a client for whom no thread can be made is turned away, and the server lives",
          "[promise]") {
    const Server server({.max_processes = 1, .unprivileged = true});
    std::string complaints;
    for (int i = 0; i < 3; ++i) {
        Client turned_away(server);
        REQUIRE(turned_away.receive_to_end().empty());
        complaints +=
            "client 127\\.0\\.0\\.1:[0-9]+ turned away: Resource temporarily unavailable\n";
    }
    wait_until("the server has said so three times",
               [&] { return count_lines(server.diagnostics()) == 3; });
    REQUIRE_THAT(server.diagnostics(), Matches(complaints));
    REQUIRE(proc::count_sockets(server.pid()) == 1);
}

TEST_CASE("without a free descriptor the server waits, and serves as soon as there is one",
          "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 5);
    server.limit(RLIMIT_NOFILE, 9);  // 0, 1, 2, the listener and five clients.
    // The first still gets a descriptor: accept() took one before it went to sleep.
    Client first(server);
    first.send("hello");
    Client second(server);
    second.send("hello");
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring("Too many open files"));
    REQUIRE(clients.front().exchange("still there?") == "still there?");
    clients.clear();
    REQUIRE(first.receive(5) == "hello");
    REQUIRE(second.receive(5) == "hello");
}

TEST_CASE("two hundred idle clients cost two hundred threads", "[limit]") {
    REQUIRE(threads_for_200_idle_clients(chapter_under_test()) == "a thread for every client");
}
