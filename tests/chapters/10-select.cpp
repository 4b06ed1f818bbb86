// `select`: select() says who is ready.

#include <sys/select.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;

TEST_CASE("an idle server sleeps", "[why]") {
    REQUIRE(beside_a_silent_client(chapter_before()) == "the server burns processor time");
    REQUIRE(beside_a_silent_client(chapter_under_test()) == "the server sleeps");
}

TEST_CASE("a client that has not been read to the end is reported again", "[promise]") {
    require_strace();
    require_echoes_in_spite_of_false_eagain();
}

TEST_CASE("a client that is turned away is named, and the others are served", "[promise]") {
    // Of the 1,024 places in a set the listener has 1,021, and so two are left.
    const Server server({.first_free_descriptor = 1021});
    std::vector<Client> clients = connect_clients(server, 2);
    for (int i = 1; i <= 3; ++i) {
        Client turned_away(server);
        REQUIRE(turned_away.receive_to_end().empty());
        wait_until("the server has said so", [&] {
            return count_lines(server.diagnostics()) == static_cast<std::size_t>(i);
        });
    }
    REQUIRE_THAT(server.diagnostics(),
                 Matches("(client 127\\.0\\.0\\.1:[0-9]+ turned away: select cannot watch "
                         "descriptor 1024, only 0 to 1023\n){3}"));
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
    // When one leaves, there is a place for the next.
    clients.pop_back();
    wait_until("the server has closed its side", [&] { return newest_descriptor(server) == 1022; });
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("a server whose listener has no place in a set says so, and the exit code is 1",
          "[promise]") {
    const Run run = run_to_end({.first_free_descriptor = FD_SETSIZE});
    REQUIRE(run.err == "error: select cannot watch descriptor 1024, only 0 to 1023\n");
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("a thousand clients are served at once", "[promise][wire]") {
    const Server server;
    server.limit(RLIMIT_NOFILE, 1100);
    std::vector<Client> clients = connect_clients(server, 1000);
    for (Client& client : clients) {
        client.send("all at once");
    }
    for (Client& client : clients) {
        REQUIRE(client.receive(11) == "all at once");
    }
}

TEST_CASE("the client with descriptor 1024 is turned away", "[limit]") {
    REQUIRE(eleven_hundred_clients(chapter_under_test()) == "turned away at descriptor 1024");
}
