// The exercises of chapter 29: what must hold when they are done.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --delay each echo comes as much later, and the delays of many clients are one",
          "[.exercise]") {
    require_strace();
    using namespace std::chrono_literals;
    const Server server({.arguments = {"--port", "0", "--delay", "1000"}});
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    const SystemCallTrace trace(server, "read,sendto");
    server.stop_all();
    for (Client& client : clients) {
        client.send("hello");
    }
    const auto begin = std::chrono::steady_clock::now();
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(5) == "hello");
    }
    REQUIRE(std::chrono::steady_clock::now() - begin >= 1000ms);
    // All had been read when the first one was sent.
    const std::vector<std::string> calls = trace.lines();
    const auto first_sent = std::find_if(calls.begin(), calls.end(), [](const std::string& call) {
        return call.starts_with("sendto(");
    });
    REQUIRE(first_sent - calls.begin() >= 20);
    // One is gone before its echo is.
    clients.front().send("hello");
    clients.front().reset();
    clients.back().send("goodbye");
    clients.back().half_close();
    REQUIRE(clients.back().receive_to_end() == "goodbye");
}
