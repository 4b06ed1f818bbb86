// `activation`: what this chapter promises beside the contract.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/open_listener.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE("a client that comes before the server is served by it", "[why]") {
    require_io_uring();
    REQUIRE(client_before_the_server(chapter_before()) == "the server listens elsewhere");
    REQUIRE(client_before_the_server(chapter_under_test()) == "the client is served");
}

TEST_CASE("without a next server those in the queue wait, connected and unanswered", "[limit]") {
    require_io_uring();
    const OpenListener listener;
    {
        Server server({.listeners = {listener.fd().get()}});
        server.signal(SIGTERM);
        REQUIRE(server.wait_for_exit() == "exit 0");
    }
    Client client(listener.endpoint());
    client.send("hello");
    REQUIRE_FALSE(client.has_input());
    REQUIRE(proc::accept_queue_length(listener.endpoint()) == 1);
}
