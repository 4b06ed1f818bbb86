// From `buffer-ring` on all clients share a few buffers, and none waits with one in its hands.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

StartSettings with_buffers(int count) {
    return {.arguments = {"--port", "0", "--buffers", std::to_string(count)}};
}

}  // namespace

TEST_CASE("twice as many stalled readers as buffers keep no active client waiting",
          "[contract][from-buffer-ring]") {
    const Server server(with_buffers(4));
    std::vector<Client> stalled;
    std::vector<std::string> sent;
    for (unsigned i = 0; i < 8; ++i) {
        stalled.emplace_back(server, ClientSettings{.receive_buffer = 16 * 1024});
        sent.push_back(send_until_server_is_held_back(stalled.back(), i));
    }
    Client active(server);
    const std::string message = random_bytes(300 * 1024);
    for (int i = 0; i < 20; ++i) {
        const bool same = active.exchange(message) == message;
        REQUIRE(same);
    }
    // Nor does anybody spin meanwhile.
    wait_until_at_rest(server);
    wait_until_it_does_not_spin(server);
    for (std::size_t i = 0; i < stalled.size(); ++i) {
        CAPTURE(i);
        stalled[i].half_close();
        const bool same = stalled[i].receive_to_end() == sent[i];
        REQUIRE(same);
    }
}

TEST_CASE("many clients share one buffer, and all have their bytes",
          "[contract][from-buffer-ring]") {
    const int buffers = GENERATE(1, 3);
    CAPTURE(buffers);
    const Server server(with_buffers(buffers));
    std::vector<Client> clients = connect_clients(server, 40);
    for (int round = 0; round < 3; ++round) {
        server.stop_all();  // So that all of them have bytes at once.
        for (unsigned i = 0; i < clients.size(); ++i) {
            clients[i].send(random_bytes(20'000, i));
        }
        server.continue_all();
        for (unsigned i = 0; i < clients.size(); ++i) {
            CAPTURE(i);
            const bool same = clients[i].receive(20'000) == random_bytes(20'000, i);
            REQUIRE(same);
        }
    }
    wait_until_at_rest(server);
}

TEST_CASE("with one buffer, a client that always sends does not keep the others waiting",
          "[contract][from-buffer-ring]") {
    const Server server(with_buffers(1));
    Client busy(server, {.receive_buffer = 4 * 1024 * 1024, .send_buffer = 4 * 1024 * 1024});
    std::vector<Client> quiet = connect_clients(server, 5);
    const std::string part = random_bytes(256 * 1024);
    std::size_t sent = 0;
    std::size_t received = 0;
    for (Client& client : quiet) {
        client.send("served?");
        wait_until("a quiet client is served", [&] {
            sent += busy.send_some(part);
            received += busy.receive_some()->size();
            return client.has_input();
        });
        REQUIRE(client.receive(7) == "served?");
    }
    REQUIRE(sent > 0);
    busy.half_close();
    REQUIRE(received + busy.receive_to_end().size() == sent);
}

TEST_CASE("a number of buffers that cannot be is refused, and the exit code is 2",
          "[contract][from-buffer-ring]") {
    const std::string option = GENERATE("--buffers=0", "--buffers=32769", "--buffers=some");
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("--buffers wants a whole number from 1 to 32768"));
}
