// From chapter 02 on, no client can end the server.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

namespace {

/// The proof that a server has come through what was done to it.
void require_echo(const Server& server) {
    Client client(server);
    REQUIRE(client.exchange("still there?") == "still there?");
}

}  // namespace

TEST_CASE("a client that resets before it is accepted harms nobody", "[contract][from-02]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        server.signal(SIGSTOP);  // So that it certainly has not accepted yet.
        Client(server).reset();
        server.signal(SIGCONT);
        require_echo(server);
    }
}

TEST_CASE("a client that resets with its echo unread harms nobody", "[contract][from-02]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        client.send(random_bytes(1000));
        client.receive(1);
        client.reset();
        require_echo(server);
    }
}

TEST_CASE("a client that resets in the middle of a long echo harms nobody", "[contract][from-02]") {
    const Server server;
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        client.exchange(random_bytes(512 * 1024));
        client.send_some(random_bytes(512 * 1024));
        client.reset();
        require_echo(server);
    }
}

TEST_CASE("a client that sends, closes and never reads harms nobody", "[contract][from-02]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        client.send(random_bytes(100 * 1024));
        client.close();
        require_echo(server);
    }
}

TEST_CASE("a client that sends for ever and never reads is held back, and gone once it resets",
          "[contract][from-02]") {
    const Server server;
    {
        Client greedy(server);
        send_until_server_is_held_back(server, greedy);
        greedy.reset();
    }
    require_echo(server);
}
