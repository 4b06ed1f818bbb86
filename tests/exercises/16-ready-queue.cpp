// The exercises of chapter 16: what must hold when they are done.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE(
    "with --pause the server sleeps for as long as it was told, while it cannot take in the next "
    "client",
    "[.exercise]") {
    require_strace();
    StartSettings settings = with_descriptors_for(1);
    settings.arguments = {"--port", "0", "--pause", "37"};
    const Server server(settings);
    Client inside(server);
    REQUIRE(inside.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "epoll_wait");
    Client waits(server);
    wait_until("the server has slept and looked again", [&] {
        const auto lines = trace.lines();
        return std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
            return line.find(", 37) = 0") != std::string::npos;
        });
    });
    REQUIRE(inside.exchange("still there?") == "still there?");
    inside.half_close();
    REQUIRE(inside.receive_to_end().empty());
    REQUIRE(waits.exchange("hello") == "hello");
}
