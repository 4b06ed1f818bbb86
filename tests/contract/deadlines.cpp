// From `deadlines` on, a client that stalls is evicted.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using namespace std::chrono_literals;

namespace {

StartSettings with_timeouts(int idle_ms, int write_ms) {
    return {.arguments = {"--port", "0", "--idle-timeout", std::to_string(idle_ms),
                          "--write-timeout", std::to_string(write_ms)}};
}

constexpr int never = 86'400'000;  // milliseconds: a day

}  // namespace

TEST_CASE("a client that sends nothing is evicted in good order", "[contract][from-deadlines]") {
    const Server server(with_timeouts(200, never));
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    REQUIRE(silent.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection timed out\n"));
}

TEST_CASE("a client that reads nothing is evicted", "[contract][from-deadlines]") {
    const Server server(with_timeouts(never, 200));
    Client greedy(server);
    const std::string first = random_bytes(256 * 1024);
    greedy.exchange(first);
    // Sends until it is evicted: then the connection is reset, since bytes of it are left unread.
    wait_until("the server has evicted it", [&] {
        try {
            greedy.send_some(first);
        } catch (const std::system_error&) {
            return true;
        }
        return !server.diagnostics().empty();
    });
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: send: Connection timed out\n"));
    Client other(server);
    REQUIRE(other.exchange("hello") == "hello");
}

TEST_CASE("a client that is slow but moving is not evicted", "[contract][from-deadlines]") {
    const Server server(with_timeouts(4000, 4000));
    Client slow(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(slow);
    // For longer than it may be silent. It is never silent for so long, but the server's kernel
    // tells of room only when a third of its buffer is free.
    std::string received;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 1; i < 40; ++i) {
        received += slow.receive(sent.size() / 40);
        std::this_thread::sleep_until(begin + i * 140ms);
    }
    REQUIRE(std::chrono::steady_clock::now() - begin > 5s);
    slow.half_close();
    received += slow.receive_to_end();
    const bool same = received == sent;
    REQUIRE(same);

    Client typist(server);
    for (int i = 0; i < 30; ++i) {
        REQUIRE(typist.exchange("x") == "x");
        std::this_thread::sleep_for(150ms);
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("five hundred silent clients are all evicted, and nobody else",
          "[contract][from-deadlines]") {
    const Server server(with_timeouts(1000, never));
    std::vector<Client> silent;
    for (int i = 0; i < 500; ++i) {
        silent.emplace_back(server);
    }
    Client active(server);
    wait_until("the silent ones are gone", [&] {
        REQUIRE(active.exchange("still there?") == "still there?");
        return server.count_clients() == 1;
    });
    for (Client& client : silent) {
        REQUIRE(client.receive_to_end().empty());
    }
}

TEST_CASE("clients that fall silent one after another are evicted one after another",
          "[contract][from-deadlines]") {
    const Server server(with_timeouts(500, never));
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    // The second one talks a little longer, so its time is over a little later.
    Client second(server);
    const auto silence = std::chrono::steady_clock::now() + std::chrono::milliseconds{100};
    wait_until("the second one has talked for a while", [&] {
        REQUIRE(second.exchange("hello") == "hello");
        return std::chrono::steady_clock::now() >= silence;
    });
    REQUIRE(first.receive_to_end().empty());
    // Nothing at all happens on the server until the second one's time is over.
    REQUIRE(second.receive_to_end().empty());
    REQUIRE(Client(server).exchange("served?") == "served?");
}

TEST_CASE("a timeout that cannot be is refused, and the exit code is 2",
          "[contract][from-deadlines]") {
    const std::string option = GENERATE("--idle-timeout=0", "--idle-timeout=soon",
                                        "--write-timeout=0", "--write-timeout=-1");
    CAPTURE(option);
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("wants a whole number from 1 to "));
}
