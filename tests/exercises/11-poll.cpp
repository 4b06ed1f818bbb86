// The exercises of chapter 11: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("clients that wait together are accepted together, at most 16 between two polls",
          "[.exercise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "?poll,?ppoll,restart_syscall,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 40; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    std::vector<int> accepted{0};  // between two polls
    for (const std::string& line : trace.lines()) {
        if (!line.starts_with("accept4(")) {
            accepted.push_back(0);
        } else if (line.find(") = -1") == std::string::npos) {
            ++accepted.back();
        }
    }
    std::erase(accepted, 0);
    REQUIRE(accepted == std::vector<int>{16, 16, 8});
}
