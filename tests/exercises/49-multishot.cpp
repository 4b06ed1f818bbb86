// The exercises of chapter 49: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

namespace {

/// What a server with so many buffers says at its end, when twenty clients have sent at the same
/// moment.
std::string last_words(const std::string& buffers) {
    Server server({.arguments = {"--port", "0", "--count", "1", "--buffers", buffers}});
    std::vector<Client> clients = connect_clients(server, 20);
    server.stop_all();
    for (Client& client : clients) {
        client.send("all at once");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(11) == "all at once");
    }
    clients.clear();
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    return server.diagnostics();
}

}  // namespace

TEST_CASE("with --count 1 the server says at its end how often no buffer was left", "[.exercise]") {
    REQUIRE(last_words("64") == "no buffer was left 0 times\n");
    REQUIRE_THAT(last_words("1"), Matches("no buffer was left [1-9][0-9]* times\n"));
}
