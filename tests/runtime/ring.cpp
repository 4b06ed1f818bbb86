// From `io-uring` on: rings that are full, and what the kernel has in its hands.

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <coroutine>
#include <memory>
#include <span>
#include <vector>

#include "io.hpp"
#include "runtime/counted.hpp"
#include "runtime/moment.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"

TEST_CASE("ring: a thousand operations through room for two", "[promise]") {
    // Every submission after the second needs room that only the kernel can make, and so do most of
    // the completions: the queue of those has room for four.
    IoContext io = make_io(16, 2);
    std::vector<std::unique_ptr<Pair>> pairs;
    std::size_t count = 0;
    for (int i = 0; i < 500; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        io.start([](IoContext& context, Fd fd, std::size_t& bytes) -> Task<> {
            const Counted counted;
            Socket socket(context, std::move(fd));
            std::array<char, 16> buffer{};
            const std::size_t received = co_await read_into(socket, buffer);
            bytes += received;
            bytes += co_await send_from(socket, std::span(buffer).first(received));
        }(io, std::move(pairs.back()->ours), count));
    }
    for (const auto& pair : pairs) {
        say(pair->theirs, "x");
    }
    io.run();
    REQUIRE(count == 1000);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("ring: nobody sleeps while somebody has been done and not resumed", "[promise]") {
    // With room for two the first sender's completion is taken while the others begin. It says what
    // the reader waits for, and nothing else will happen.
    IoContext io = make_io(1, 2);
    std::vector<std::unique_ptr<Pair>> pairs;
    for (int i = 0; i < 3; ++i) {
        pairs.push_back(std::make_unique<Pair>());
    }
    std::size_t count = 0;
    for (int i = 0; i < 2; ++i) {
        io.start([](IoContext& context, Fd fd, const Fd& wakes) -> Task<> {
            Socket socket(context, std::move(fd));
            co_await send_from(socket, std::span("x", 1));
            say(wakes, "y");
        }(io, std::move(pairs[static_cast<std::size_t>(i)]->ours), pairs[2]->theirs));
    }
    io.start([](IoContext& context, Fd fd, std::size_t& bytes) -> Task<> {
        Socket socket(context, std::move(fd));
        std::array<char, 1> buffer{};
        while (bytes < 2) {
            bytes += co_await read_into(socket, buffer);
        }
    }(io, std::move(pairs[2]->ours), count));
    io.run();
    REQUIRE(count == 2);
}

TEST_CASE("ring: the kernel writes into no buffer whose coroutine has been destroyed",
          "[promise]") {
    IoContext io = make_io(16);
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    std::array<char, 16> buffer{};  // Outlives the coroutine, so that it can be looked at.
    const auto read = [](Socket& from, std::span<char> into, std::size_t& count) -> Task<> {
        const Counted counted;
        count = co_await read_into(from, into);
    };
    std::size_t received = 0;
    {
        const Task<> task = read(socket, buffer, received);
        task.operator co_await().await_suspend(std::noop_coroutine()).resume();
        run_for_a_moment(io);  // The operation is the kernel's now.
    }
    REQUIRE(Counted::alive == 0);
    say(pair.theirs, "hello");
    run_for_a_moment(io);
    REQUIRE(buffer == std::array<char, 16>{});
    io.start(read(socket, buffer, received));
    io.run();
    REQUIRE(received == 5);
}
