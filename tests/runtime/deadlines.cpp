// From `deadlines` on: an operation can have a deadline, and can be cancelled.

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "io.hpp"
#include "runtime/crowd.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"

using namespace std::chrono_literals;

namespace {

/// What a read with a deadline ends with: the number of bytes, or the negative error number.
Task<int> read_within(Socket& socket, std::span<char> buffer, Timeout timeout) {
    try {
        const std::size_t received = co_await read_into(socket, buffer, timeout);
        co_return static_cast<int>(received);
    } catch (const std::system_error& error) {
        co_return -error.code().value();
    }
}

}  // namespace

TEST_CASE("deadline: a read that is late ends with ETIMEDOUT, and the next one gets the bytes",
          "[promise]") {
    Pair pair;
    IoContext io = make_io(16);
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
    IoContext io = make_io(16);
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
    IoContext io = make_io(16);
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
    IoContext io = make_io(16);
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
    IoContext io = make_io(16);
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    std::string ended;
    io.start([](Socket& to, std::string& how) -> Task<> {
        try {
            const std::size_t sent = co_await send_from(to, std::span("hello", 5));
            how = "sent " + std::to_string(sent);
        } catch (const std::system_error& error) {
            how = error.what();
        }
    }(socket, ended));
    socket.cancel();  // Goes to the kernel with the send, and behind it.
    io.run();
    REQUIRE(ended == "sent 5");
}

TEST_CASE("cancel: beside more busy coroutines than entries, it comes, and so does a deadline",
          "[promise]") {
    IoContext io = make_io(16, Crowd::entries);
    Crowd crowd{.waiting = 2};
    Pair late;
    Pair stopped;
    Socket late_socket(io, std::move(late.ours));
    Socket stopped_socket(io, std::move(stopped.ours));
    std::vector<int> results;
    const auto reader = [](Socket& from, Timeout timeout, Crowd& others,
                           std::vector<int>& all) -> Task<> {
        std::array<char, 16> buffer{};
        all.push_back(co_await read_within(from, buffer, timeout));
        --others.waiting;
    };
    io.start(reader(stopped_socket, std::nullopt, crowd, results));
    start(io, crowd, [&] {
        stopped_socket.cancel();
        io.start(reader(late_socket, 1ms, crowd, results));
    });
    io.run();
    REQUIRE_FALSE(crowd.has_given_up);
    REQUIRE(results == std::vector<int>{-ECANCELED, -ETIMEDOUT});
}
