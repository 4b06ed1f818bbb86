// The exercises of chapter 30: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --together clients wait for each other, and for nothing else", "[.exercise]") {
    require_strace();
    require_failing_allocations();
    const Server server(
        {.arguments = {"--port", "0", "--together", "3"}, .allocations_can_fail = true});
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back(server);
        wait_until_at_rest(server);
    }
    const auto send = [&](std::size_t who, const std::string& words) {
        clients[who].send(words);
        wait_until_at_rest(server);
    };
    server.fail_allocation(1);
    {
        const SystemCallTrace trace(server, "all");
        send(0, "one");
        send(1, "two");
        REQUIRE_FALSE(clients[0].has_input());
        REQUIRE_FALSE(clients[1].has_input());
        send(2, "three");
        REQUIRE(clients[0].receive(3) == "one");
        REQUIRE(clients[1].receive(3) == "two");
        REQUIRE(clients[2].receive(5) == "three");

        // The next three, one of whom has waited before.
        send(3, "four");
        send(2, "five");
        REQUIRE_FALSE(clients[3].has_input());
        REQUIRE_FALSE(clients[2].has_input());
        send(0, "six");
        REQUIRE(clients[3].receive(4) == "four");
        REQUIRE(clients[2].receive(4) == "five");
        REQUIRE(clients[0].receive(3) == "six");
        wait_until_at_rest(server);
        for (const std::string& call : trace.lines()) {
            CAPTURE(call);
            REQUIRE((call.starts_with("epoll_wait(") || call.starts_with("epoll_pwait(") ||
                     call.starts_with("read(") || call.starts_with("sendto(")));
        }
    }
    REQUIRE(server.allocations_left() == 1);
    server.fail_allocation(0);

    // Whoever leaves needs nobody for that.
    clients[1].half_close();
    REQUIRE(clients[1].receive_to_end().empty());
}
