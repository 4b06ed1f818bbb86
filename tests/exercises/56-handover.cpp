// The exercises of chapter 56: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/notifications.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("with --by-hand both versions serve until the old one is told to end", "[.exercise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(
        told_to(manager, {.arguments = {"--port", "0", "--workers", "1", "--by-hand", "1"}}));
    REQUIRE(manager.next() == "READY=1");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::size_t sockets = proc::count_sockets(server.pid());
    const pid_t successor = upgrade(server.pid(), manager);
    REQUIRE(client.exchange("still there?") == "still there?");
    REQUIRE(proc::count_sockets(server.pid()) >= sockets);  // It listens, too.
    for (int i = 0; i < 20; ++i) {
        REQUIRE(Client(server).exchange("hello") == "hello");
    }
    server.signal(SIGTERM);
    REQUIRE(client.receive_to_end().empty());
    client.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(manager.is_silent());
    REQUIRE(Client(server).exchange("hello") == "hello");
    REQUIRE(::kill(successor, SIGTERM) == 0);
    REQUIRE(wait_for_orphan(successor) == "exit 0");
}
