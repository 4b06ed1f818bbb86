// From `drain` on, until `per-core`: a signal can be awaited.

#include "signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "io.hpp"
#include "runtime/sockets.hpp"
#include "task.hpp"

using namespace std::chrono_literals;

TEST_CASE("signal: it is awaited, and does nothing else", "[promise]") {
    IoContext io = make_io(16);
    std::vector<int> caught;
    io.start([](IoContext& context, Fd fd, std::vector<int>& all) -> Task<> {
        Signals signals(context, std::move(fd));
        for (int i = 0; i < 2; ++i) {
            const int number = co_await signals.next();
            all.push_back(number);
        }
    }(io, hold_signals({SIGUSR1, SIGUSR2}), caught));
    io.start([](IoContext& context) -> Task<> {
        ::kill(::getpid(), SIGUSR2);
        co_await context.sleep_for(1ms);
        ::kill(::getpid(), SIGUSR1);
    }(io));
    io.run();
    release_signals({SIGUSR1, SIGUSR2});
    REQUIRE(caught == std::vector<int>{SIGUSR2, SIGUSR1});
}
