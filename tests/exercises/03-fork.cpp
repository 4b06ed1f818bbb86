// The exercises of chapter 03: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE("on SIGTERM the parent ends its children first, and then itself with exit code 0",
          "[.exercise]") {
    Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    clients.pop_back();
    wait_until("the child whose client has left has been reaped",
               [&] { return proc::children(server.pid()).size() == 9; });
    const std::vector<pid_t> children = proc::children(server.pid());
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    for (const pid_t child : children) {
        REQUIRE(proc::state(child) == '-');  // It has ended, and the parent has waited for it.
    }
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end().empty());
    }
}
