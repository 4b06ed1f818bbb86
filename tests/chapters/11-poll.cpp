// `poll`: poll() takes an array of any length.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("clients beyond descriptor 1023 are served", "[why][wire]") {
    REQUIRE(eleven_hundred_clients(chapter_before()) == "turned away at descriptor 1024");
    REQUIRE(eleven_hundred_clients(chapter_under_test()) == "every client is served");
}

TEST_CASE("five thousand clients are served at once", "[promise][wire]") {
    require_echoes_for_all_of(5000);
}

TEST_CASE("a server that starts with 1,024 descriptors taken serves", "[promise]") {
    const Server server({.first_free_descriptor = 1024});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("a client that has not been read to the end is reported again", "[promise]") {
    require_strace();
    require_echoes_in_spite_of_false_eagain();
}

TEST_CASE("whoever leaves, the others keep their places", "[promise][wire]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 30);
    // From the front, the back and the middle, one at a time and several at once.
    for (const std::size_t leaves : {0U, 28U, 14U, 13U, 12U, 0U}) {
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(leaves));
        for (Client& client : clients) {
            REQUIRE(client.exchange("still there?") == "still there?");
        }
    }
    server.stop_all();
    clients.erase(clients.begin() + 5, clients.begin() + 15);
    clients.pop_back();
    for (Client& client : clients) {
        client.send("still there?");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(12) == "still there?");
    }
}

TEST_CASE("every wake-up looks at every client", "[limit]") {
    require_strace();
    REQUIRE(descriptors_passed_for_an_echo(chapter_under_test()) ==
            "every wake-up looks at everybody");
}
