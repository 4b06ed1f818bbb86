// A task hands over its result or its exception, and its frame goes with it.

#include "task.hpp"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "io.hpp"
#include "runtime/counted.hpp"
#include "runtime/sockets.hpp"

namespace {

Task<int> seven() {
    const Counted counted;
    co_return 7;
}

Task<std::unique_ptr<int>> boxed(int number) {
    co_return std::make_unique<int>(number);
}

Task<> throws() {
    const Counted counted;
    throw std::runtime_error("thrown by a task");
    co_return;
}

Task<int> sum_of_tasks(int depth) {
    const Counted counted;
    if (depth == 0) {
        co_return 0;
    }
    const int below = co_await sum_of_tasks(depth - 1);
    co_return below + 1;
}

/// Runs `task` to its end in a context of its own.
void run(Task<> task) {
    IoContext io = make_io(16);
    io.start(std::move(task));
    io.run();
}

}  // namespace

TEST_CASE("task: its result is that of co_await", "[promise]") {
    int result = 0;
    std::unique_ptr<int> box;
    run([](int& number, std::unique_ptr<int>& moved) -> Task<> {
        number = co_await seven();
        moved = co_await boxed(8);
    }(result, box));
    REQUIRE(result == 7);
    REQUIRE(*box == 8);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: its exception is that of co_await", "[promise]") {
    std::string caught;
    run([](std::string& words) -> Task<> {
        try {
            co_await throws();
        } catch (const std::runtime_error& error) {
            words = error.what();
        }
    }(caught));
    REQUIRE(caught == "thrown by a task");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: an exception that nobody catches leaves run()", "[promise]") {
    IoContext io = make_io(16);
    io.start(throws());
    REQUIRE_THROWS_AS(io.run(), std::runtime_error);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: it does not begin before it is awaited, and may never be", "[promise]") {
    {
        const Task<int> task = seven();
        REQUIRE(Counted::alive == 0);
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: tasks await tasks, a thousand deep", "[promise]") {
    int result = 0;
    run([](int& sum) -> Task<> { sum = co_await sum_of_tasks(1000); }(result));
    REQUIRE(result == 1000);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: a million tasks that end at once, one after another, do not grow the stack",
          "[promise]") {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("g++ makes no tail calls in this build: the stack grows with each task");
#endif
    int sum = 0;
    run([](int& numbers) -> Task<> {
        for (int i = 0; i < 1'000'000; ++i) {
            numbers += co_await seven();
        }
    }(sum));
    REQUIRE(sum == 7'000'000);
}
