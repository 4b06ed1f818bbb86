// Chapter 51: what all clients share stands once, in a service.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("a silent client costs 8 bytes less at the least", "[why]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer has an allocator of its own");
#endif
    require_io_uring();
    const std::size_t before = bytes_of_a_silent_client(chapter_before());
    const std::size_t now = bytes_of_a_silent_client(chapter_under_test());
    CAPTURE(before, now);
    REQUIRE(now + 8 <= before);
}

TEST_CASE("a client that is accepted after the signal is told the end, as those before it",
          "[promise]") {
    require_io_uring();
    Server server({.arguments = {"--port", "0", "--drain-timeout", "86400000"}});
    std::vector<Client> clients = connect_clients(server, 3);
    wait_until_at_rest(server);
    server.stop_all();
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(server);  // These stand in the accept queue at the signal.
    }
    server.signal(SIGTERM);
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end().empty());
    }
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("the times are the same for all clients, and each begins with its own last byte",
          "[promise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--idle-timeout", "300"}});
    Client first(server);
    Client second(server);
    REQUIRE(first.receive_to_end().empty());
    REQUIRE(second.receive_to_end().empty());
    Client third(server);
    REQUIRE(third.exchange("hello") == "hello");
    REQUIRE(third.receive_to_end().empty());
}
