// The exercises of chapter 50: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --count 1 each worker's clients are counted, to the last one that was in a queue",
          "[.exercise]") {
    Server server({.arguments = {"--port", "0", "--workers", "4", "--count", "1", "--drain-timeout",
                                 "86400000"}});
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    Client slow(server, {.receive_buffer = 16 * 1024});
    send_until_server_is_held_back(slow);
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 80; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    server.signal(SIGTERM);
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end() == "hello");
    }
    clients.clear();
    // One worker still drains, and nothing has been said.
    wait_until_taken_and_released(server, SIGTERM);
    wait_until_at_rest(server);
    REQUIRE(server.diagnostics().empty());
    slow.receive_to_end();
    slow.close();
    REQUIRE(server.wait_for_exit() == "exit 0");

    std::istringstream words(server.diagnostics());
    int sum = 0;
    for (int i = 0; i < 4; ++i) {
        std::string line;
        REQUIRE(std::getline(words, line));
        const std::string begin = "worker " + std::to_string(i) + ": ";
        REQUIRE(line.starts_with(begin));
        REQUIRE(line.ends_with(" clients"));
        sum += std::stoi(line.substr(begin.size()));
    }
    REQUIRE(sum == 20 + 1 + 80);
    REQUIRE(words.peek() == std::istringstream::traits_type::eof());
}
