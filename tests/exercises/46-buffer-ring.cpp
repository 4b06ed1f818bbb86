// The exercises of chapter 46: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("with --report-starved a server says at its end how often there was no buffer",
          "[.exercise]") {
    require_io_uring();
    const std::vector<std::string> options{"--port", "0", "--report-starved", "1", "--buffers"};
    StartSettings one{.arguments = options};
    one.arguments.emplace_back("1");
    Server server(one);
    std::vector<Client> clients = connect_clients(server, 10);
    wait_until_at_rest(server);
    server.stop_all();  // So that all of them have bytes at once.
    for (Client& client : clients) {
        client.send("hello");
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
    clients.clear();
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE_THAT(server.diagnostics(), Matches("no buffer: [1-9][0-9]* times\n"));

    StartSettings many{.arguments = options};
    many.arguments.emplace_back("64");
    Server calm(many);
    {
        Client client(calm);
        REQUIRE(client.exchange("hello") == "hello");
    }
    calm.signal(SIGTERM);
    REQUIRE(calm.wait_for_exit() == "exit 0");
    REQUIRE(calm.diagnostics().empty());
}
