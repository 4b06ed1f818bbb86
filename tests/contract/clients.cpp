// Many clients, one after another and at once.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("200 clients are served one after another", "[contract][wire]") {
    const Server server;
    for (unsigned i = 0; i < 200; ++i) {
        CAPTURE(i);
        Client client(server);
        const std::string sent = random_bytes(100, i);
        REQUIRE(client.exchange(sent) == sent);
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
}

// The clients of an iterative server wait in the accept queue, and each is served when its turn
// comes.
TEST_CASE("50 clients that connect at once are all served", "[contract][wire]") {
    const Server server;
    std::vector<Client> clients;
    for (unsigned i = 0; i < 50; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
        clients.back().half_close();
    }
    for (unsigned i = 0; i < 50; ++i) {
        CAPTURE(i);
        REQUIRE(clients[i].receive_to_end() == random_bytes(1000, i));
    }
}
