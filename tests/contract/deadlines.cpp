// From `deadlines` on, a client that stalls is evicted.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

using Clock = std::chrono::steady_clock;

/// Runs `attempt` with a time that a client is given. It returns what the server has said of its
/// clients, which must be nothing; or nothing at all, where this machine has kept the client itself
/// waiting for too long: then once more, with a longer time.
void require_one_of_the_attempts(
    const std::function<std::optional<std::string>(std::chrono::milliseconds)>& attempt) {
    for (std::chrono::milliseconds time{1000}; time <= 16s; time *= 2) {
        CAPTURE(time.count());
        if (const std::optional<std::string> said = attempt(time)) {
            REQUIRE(said->empty());
            return;
        }
    }
    SKIP("this machine is too busy: a client that wants to move each second cannot");
}

/// What comes back of `bytes`: less of it where the connection ends first, or has ended.
std::string exchange_if_connected(Client& client, const std::string& bytes) {
    try {
        return client.exchange(bytes);
    } catch (const std::system_error&) {
        return "";
    }
}

/// How large a send buffer of the kernel can grow, in bytes (tcp(7), tcp_wmem).
std::size_t largest_send_buffer() {
    std::ifstream file("/proc/sys/net/ipv4/tcp_wmem");
    std::size_t least = 0;
    std::size_t usual = 0;
    std::size_t most = 0;
    REQUIRE((file >> least >> usual >> most));
    return most;
}

}  // namespace

TEST_CASE("a client that sends nothing is evicted in good order", "[contract][from-deadlines]") {
    const Server server(with_timeouts(1000, never));
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    REQUIRE(silent.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection timed out\n"));
}

TEST_CASE("a client that reads nothing is evicted", "[contract][from-deadlines]") {
    const Server server(with_timeouts(never, 1000));
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

TEST_CASE("a client that sends a byte now and then is not evicted", "[contract][from-deadlines]") {
    require_one_of_the_attempts([](std::chrono::milliseconds time) -> std::optional<std::string> {
        const Server server(with_timeouts(static_cast<int>(time.count()), never));
        Client typist(server);
        const auto begin = Clock::now();
        auto last = begin;
        while (last - begin < 2 * time) {
            const auto next = Clock::now();
            const std::string echo = exchange_if_connected(typist, "x");
            if (Clock::now() - last >= time) {
                return std::nullopt;
            }
            if (echo != "x") {
                return "evicted: " + server.diagnostics();
            }
            last = next;
            std::this_thread::sleep_for(time / 10);
        }
        return server.diagnostics();
    });
}

TEST_CASE("a client that takes its echo slowly is not evicted", "[contract][from-deadlines]") {
    // The server's kernel tells of room only when a third of its buffer is free. A client that
    // takes an eighth of the largest one in each step, makes so much in three steps.
    const std::size_t step = largest_send_buffer() / 8;
    const std::string piece = random_bytes(64 * 1024);
    require_one_of_the_attempts([&](std::chrono::milliseconds time) -> std::optional<std::string> {
        const Server server(with_timeouts(never, static_cast<int>(time.count())));
        Client slow(server, {.receive_buffer = 16 * 1024});
        auto last = Clock::now();
        std::string sent = send_until_server_is_held_back(slow);
        std::string received;
        const auto begin = Clock::now();
        if (begin - last >= time / 2) {
            return std::nullopt;
        }
        last = begin;
        while (last - begin < 2 * time) {
            const std::string bytes = slow.receive(step);
            if (Clock::now() - last >= time / 6) {
                return std::nullopt;
            }
            last = Clock::now();
            received += bytes;
            if (bytes.size() < step) {
                return "evicted: " + server.diagnostics();
            }
            // So that the server waits for room all the time, and never for the next byte.
            while (const std::size_t more = slow.send_some(piece)) {
                sent.append(piece, 0, more);
            }
            std::this_thread::sleep_for(time / 40);
        }
        slow.half_close();
        received += slow.receive_to_end();
        return received == sent ? server.diagnostics() : "bytes were lost";
    });
}

TEST_CASE("a silent client is evicted in time beside one that waits for room and has a day for it",
          "[contract][from-deadlines]") {
    const Server server(with_timeouts(1000, never));
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    Client silent(server);
    REQUIRE(silent.receive_to_end().empty());
}

TEST_CASE("a client without room is evicted in time beside one that is silent and has a day for it",
          "[contract][from-deadlines]") {
    const Server server(with_timeouts(never, 200));
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    Client greedy(server);
    const std::string part = random_bytes(64 * 1024);
    wait_until("the server has evicted it", [&] {
        try {
            greedy.send_some(part);
        } catch (const std::system_error&) {
            return true;
        }
        return false;
    });
    REQUIRE(silent.exchange("still here?") == "still here?");
}

TEST_CASE("five hundred silent clients are all evicted, and nobody else",
          "[contract][from-deadlines]") {
    const Server server(with_timeouts(2000, never));
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
    const Server server(with_timeouts(1500, never));
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
