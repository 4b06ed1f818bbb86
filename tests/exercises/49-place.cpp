// The exercises of chapter 49: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

namespace {

/// What the server says when it is to end while two clients are silent and one does not read.
std::string said_at_the_end(const std::string& say) {
    Server server({.arguments = {"--port", "0", "--drain-timeout", "300", "--say-who-waits", say}});
    const std::vector<Client> silent = connect_clients(server, 2);
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    wait_until_at_rest(server);
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    return server.diagnostics();
}

}  // namespace

TEST_CASE("with --say-who-waits the server counts the silent, and those it sends to",
          "[.exercise]") {
    require_io_uring();
    REQUIRE(said_at_the_end("1") == "drain: 2 silent, 1 sent to\ndrain: 1 evicted\n");
    REQUIRE(said_at_the_end("0") == "drain: 1 evicted\n");
}
