// `service`: what this chapter promises beside the contract.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("two clients in turn get back what they have sent", "[promise][wire]") {
    const Server server;
    for (int i = 0; i < 2; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
    }
}
