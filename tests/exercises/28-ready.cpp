// The exercises of chapter 28: what must hold when they are done.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

std::size_t count_sends_in_vain(const SystemCallTrace& trace) {
    const std::vector<std::string> sends = trace.lines();
    return static_cast<std::size_t>(std::count_if(
        sends.begin(), sends.end(),
        [](const std::string& send) { return send.find(" = -1 EAGAIN") != std::string::npos; }));
}

}  // namespace

TEST_CASE("no send is made between one that has found no room and the event that tells of room",
          "[.exercise]") {
    require_strace();
    const Server server;
    Client slow(server, {.receive_buffer = 4096});
    const SystemCallTrace trace(server, "sendto");
    const std::string part = random_bytes(64 * 1024);
    std::string sent;
    while (count_sends_in_vain(trace) == 0) {
        REQUIRE(sent.size() < 100'000'000);
        slow.send(part);
        sent += part;
        wait_until_at_rest(server);
    }
    REQUIRE(count_sends_in_vain(trace) == 1);
    for (int i = 0; i < 10; ++i) {
        slow.send("x");  // An event, and it says nothing of room.
        sent += "x";
        wait_until_at_rest(server);
    }
    REQUIRE(count_sends_in_vain(trace) == 1);
    slow.half_close();
    wait_until_at_rest(server);
    REQUIRE(count_sends_in_vain(trace) == 1);
    const bool same = slow.receive_to_end() == sent;
    REQUIRE(same);

    Client resets(server);
    send_until_server_is_held_back(resets);
    resets.reset();
    wait_until("the client is gone", [&] { return server.count_clients() == 0; });
}
