// `signal-driven`: a signal for each event, with the descriptor in it.

#include <signal.h>

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

TEST_CASE("a wake-up does not look at those who are silent", "[why]") {
    require_strace();
    REQUIRE(descriptors_passed_for_an_echo(chapter_before()) == "every wake-up looks at everybody");
    REQUIRE(descriptors_passed_for_an_echo(chapter_under_test()) == "nobody else is looked at");
}

TEST_CASE("the signals are taken without a handler", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::uint64_t ours = (1ULL << (SIGIO - 1)) | (1ULL << (SIGRTMIN - 1));
    REQUIRE((proc::handled_signals(server.pid()) & ours) == 0);
    REQUIRE((proc::ignored_signals(server.pid()) & ours) == 0);
}

TEST_CASE("bytes that were there before the server asked for signals are echoed",
          "[promise][wire]") {
    const Server server;
    for (int i = 0; i < 50; ++i) {
        server.stop_all();
        Client client(server);
        client.send("early");
        server.continue_all();
        REQUIRE(client.receive(5) == "early");
    }
}

TEST_CASE("when the queue of signals overflows, no byte and no client is lost", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 50);
    wait_until_at_rest(server);
    server.limit(RLIMIT_SIGPENDING, 3);
    for (int round = 0; round < 10; ++round) {
        server.stop_all();
        std::vector<Client> new_clients;
        for (int i = 0; i < 10; ++i) {
            new_clients.emplace_back(server);
            new_clients.back().send("new here");
        }
        for (Client& client : clients) {
            client.send("hello");
        }
        server.continue_all();
        for (Client& client : clients) {
            REQUIRE(client.receive(5) == "hello");
        }
        for (Client& client : new_clients) {
            REQUIRE(client.receive(8) == "new here");
            client.half_close();
            REQUIRE(client.receive_to_end().empty());
        }
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("without room for a single signal every client is served", "[promise]") {
    const Server server;
    server.limit(RLIMIT_SIGPENDING, 0);
    std::vector<Client> clients = connect_clients(server, 10);
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello again") == "hello again");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
}

TEST_CASE("signals that somebody else sends harm nobody", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 3);
    for (int i = 0; i < 20; ++i) {
        server.signal(SIGIO);
        server.signal(SIGRTMIN);
        for (Client& client : clients) {
            REQUIRE(client.exchange("hello") == "hello");
        }
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a signal that outlives its client harms nobody", "[promise]") {
    const Server server;
    std::vector<Client> stay = connect_clients(server, 3);
    for (int i = 0; i < 5; ++i) {
        std::vector<Client> leave = connect_clients(server, 30);
        server.stop_all();  // More signals for each will be in the queue than are taken at once.
        for (int j = 0; j < 8; ++j) {
            for (Client& client : leave) {
                client.send("x");
            }
        }
        for (Client& client : leave) {
            client.half_close();
        }
        server.continue_all();
        for (Client& client : stay) {
            REQUIRE(client.exchange("hello") == "hello");
        }
    }
    wait_until("the sockets of those that left are gone",
               [&] { return proc::count_sockets(server.pid()) == 1 + 3; });
}

TEST_CASE("the queue of signals overflows", "[limit]") {
    REQUIRE(news_of_twenty_clients_at_once(chapter_under_test()) ==
            "the queue of signals overflows");
}
