// Chapter 17: whoever stalls is evicted, and an operation in flight can be cancelled.

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "io.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using namespace std::chrono_literals;

namespace {

StartSettings with_timeouts(int idle_ms, int write_ms) {
    return {.arguments = {"--port", "0", "--idle-timeout", std::to_string(idle_ms),
                          "--write-timeout", std::to_string(write_ms)}};
}

constexpr int never = 86'400'000;  // milliseconds: a day

/// What a read with a deadline ends with: the number of bytes, or the negative error number.
Task<int> read_within(Socket& socket, std::span<char> buffer, Timeout timeout) {
    try {
        const std::size_t received = co_await socket.read(buffer, timeout);
        co_return static_cast<int>(received);
    } catch (const std::system_error& error) {
        co_return -error.code().value();
    }
}

}  // namespace

TEST_CASE("a client that stalls is not kept for ever", "[why]") {
    REQUIRE(stalled_clients(chapter_before(), {}) == "both are kept");
    REQUIRE(stalled_clients(chapter_under_test(), {"--idle-timeout", "200", "--write-timeout",
                                                   "200"}) == "both are evicted");
}

TEST_CASE("a client that sends nothing is evicted in good order", "[promise]") {
    const Server server(with_timeouts(200, never));
    Client silent(server);
    REQUIRE(silent.exchange("hello") == "hello");
    REQUIRE(silent.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection timed out\n"));
}

TEST_CASE("a client that reads nothing is evicted", "[promise]") {
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

TEST_CASE("a client that is slow but moving is not evicted", "[promise]") {
    const Server server(with_timeouts(2000, 2000));
    Client slow(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(slow);
    // Well over two seconds altogether, and never two seconds without a byte.
    std::string received;
    for (int i = 0; i < 30; ++i) {
        received += slow.receive(sent.size() / 40);
        std::this_thread::sleep_for(50ms);
    }
    slow.half_close();
    received += slow.receive_to_end();
    const bool same = received == sent;
    REQUIRE(same);

    Client typist(server);
    for (int i = 0; i < 30; ++i) {
        REQUIRE(typist.exchange("x") == "x");
        std::this_thread::sleep_for(100ms);
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("five hundred silent clients are all evicted, and nobody else", "[promise]") {
    const Server server(with_timeouts(1000, never));
    std::vector<Client> silent;
    for (int i = 0; i < 500; ++i) {
        silent.emplace_back(server);
    }
    Client active(server);
    wait_until("the silent ones are gone", [&] {
        REQUIRE(active.exchange("still there?") == "still there?");
        return proc::count_sockets(server.pid()) == 1 + 1;
    });
    for (Client& client : silent) {
        REQUIRE(client.receive_to_end().empty());
    }
}

TEST_CASE("deadlines cost no system call of their own", "[promise]") {
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("a timeout that cannot be is refused, and the exit code is 2", "[promise]") {
    const std::string option = GENERATE("--idle-timeout=0", "--idle-timeout=soon",
                                        "--write-timeout=0", "--write-timeout=-1");
    CAPTURE(option);
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("wants a whole number from 1 to "));
}

TEST_CASE("deadline: a read that is late ends with ETIMEDOUT, and the next one gets the bytes",
          "[promise]") {
    Pair pair;
    IoContext io;
    std::vector<int> results;
    io.start([](IoContext& context, Pair& ends, std::vector<int>& all) -> Task<> {
        Socket socket(context, std::move(ends.ours));
        std::array<char, 16> buffer{};
        all.push_back(co_await read_within(socket, buffer, 1ms));
        say(ends.theirs, "hello");
        all.push_back(co_await read_within(socket, buffer, 1h));
        all.push_back(co_await read_within(socket, buffer, 1ms));
        say(ends.theirs, "more");
        all.push_back(co_await read_within(socket, buffer, std::nullopt));
    }(io, pair, results));
    io.run();
    REQUIRE(results == std::vector<int>{-ETIMEDOUT, 5, -ETIMEDOUT, 4});
}

TEST_CASE("deadline: the shortest comes first, whoever began first", "[promise]") {
    IoContext io;
    std::vector<std::unique_ptr<Pair>> pairs;
    std::string order;
    const auto reader = [](IoContext& context, Fd fd, std::chrono::milliseconds time, char name,
                           std::string& ended) -> Task<> {
        Socket socket(context, std::move(fd));
        std::array<char, 16> buffer{};
        const int result = co_await read_within(socket, buffer, time);
        ended += result == -ETIMEDOUT ? name : '?';
    };
    for (const auto& [time, name] :
         {std::pair{60ms, 'd'}, std::pair{1ms, 'a'}, std::pair{30ms, 'c'}, std::pair{1ms, 'b'}}) {
        pairs.push_back(std::make_unique<Pair>());
        io.start(reader(io, std::move(pairs.back()->ours), time, name, order));
    }
    io.run();
    REQUIRE(order == "abcd");
}

TEST_CASE("deadline: a byte that comes at the deadline is read now or next time, never lost",
          "[promise]") {
    IoContext io;
    Pair pair;
    std::size_t heard = 0;
    io.start([](IoContext& context, Pair& ends, std::size_t& count) -> Task<> {
        Socket socket(context, std::move(ends.ours));
        std::array<char, 16> buffer{};
        while (true) {
            const int result = co_await read_within(socket, buffer, 1ms);
            if (result == 0) {
                co_return;
            }
            count += result > 0 ? static_cast<std::size_t>(result) : 0;
        }
    }(io, pair, heard));
    std::thread speaker([&pair] {
        for (int i = 0; i < 300; ++i) {
            [[maybe_unused]] const ssize_t sent = ::write(pair.theirs.get(), "x", 1);
            std::this_thread::sleep_for(std::chrono::microseconds{900 + i});
        }
        pair.theirs.close();
    });
    io.run();
    speaker.join();
    REQUIRE(heard == 300);
}

TEST_CASE("cancel: the coroutine gets ECANCELED, and the socket can be used again", "[promise]") {
    IoContext io;
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    std::vector<int> results;
    io.start([](Socket& from, std::vector<int>& all) -> Task<> {
        std::array<char, 16> buffer{};
        all.push_back(co_await read_within(from, buffer, std::nullopt));
        all.push_back(co_await read_within(from, buffer, 1h));
        all.push_back(co_await read_within(from, buffer, std::nullopt));
    }(socket, results));
    io.start([](IoContext& context, Socket& victim, Fd& theirs) -> Task<> {
        victim.cancel();
        co_await context.sleep_for(1ms);
        victim.cancel();
        victim.cancel();  // Once is enough.
        co_await context.sleep_for(1ms);
        say(theirs, "hello");
    }(io, socket, pair.theirs));
    io.run();
    socket.cancel();  // Nobody is suspended.
    REQUIRE(results == std::vector<int>{-ECANCELED, -ECANCELED, 5});
}

TEST_CASE("cancel: what was done before the request keeps its result", "[promise]") {
    IoContext io;
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    std::string ended;
    io.start([](Socket& to, std::string& how) -> Task<> {
        try {
            const std::size_t sent = co_await to.send(std::span("hello", 5));
            how = "sent " + std::to_string(sent);
        } catch (const std::system_error& error) {
            how = error.what();
        }
    }(socket, ended));
    socket.cancel();  // Goes to the kernel with the send, and behind it.
    io.run();
    REQUIRE(ended == "sent 5");
}

TEST_CASE("ten thousand clients are served at once", "[promise]") {
    require_echoes_for_all_of(10000);
}
