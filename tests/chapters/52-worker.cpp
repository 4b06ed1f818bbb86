// Chapter 52: a thread of its own has the engine; the first one waits for signals.

#include <signal.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/event.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/signals.hpp"
#include "runtime/task.hpp"
#include "runtime/worker.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

StartSettings with_drain_timeout(const std::string& milliseconds) {
    return {.arguments = {"--port", "0", "--drain-timeout", milliseconds}};
}

constexpr const char* a_day = "86400000";  // milliseconds

/// Which thread sleeps in which call, in a server that is at rest.
std::string sleeping_threads(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const std::size_t for_ring = proc::count_blocked_in(server.pid(), {SYS_io_uring_enter});
    const std::size_t for_signals = proc::count_blocked_in(server.pid(), {SYS_poll, SYS_ppoll});
    return std::to_string(for_ring) + " in io_uring_enter, " + std::to_string(for_signals) +
           " in poll";
}

/// The thread of the server that sleeps in its ring: the worker's.
pid_t worker_of(const Server& server) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(server.pid()) + "/task";
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
        std::ifstream file(entry.path() / "syscall");
        if (long call = -1; file >> call && call == SYS_io_uring_enter) {
            return std::stoi(entry.path().filename());
        }
    }
    throw std::runtime_error("no thread sleeps in its ring");
}

/// While it lives, the next wait of this thread for its ring fails, once. A thread that sleeps in
/// such a wait is woken by strace, and begins it again: so it fails as soon as strace is there.
Program failing_ring(pid_t thread) {
    return Program("strace", {.arguments = {"-qq", "-o", "/dev/null", "-e", "trace=io_uring_enter",
                                            "-e", "inject=io_uring_enter:error=EINVAL:when=1", "-p",
                                            std::to_string(thread)}});
}

Task<> count_when_happened(Reactor& reactor, const Event& event, std::atomic<int>& count) {
    EventWatch watch(reactor, event);
    co_await watch.happened();
    ++count;
}

}  // namespace

TEST_CASE("one thread serves and another one waits for signals, where one did both", "[why]") {
    require_io_uring();
    REQUIRE(sleeping_threads(chapter_before()) == "1 in io_uring_enter, 0 in poll");
    REQUIRE(sleeping_threads(chapter_under_test()) == "1 in io_uring_enter, 1 in poll");
}

TEST_CASE("a worker that has no ring ends the server before it is ready", "[promise]") {
    require_io_uring();
    require_strace();
    Program strace(
        "strace", {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e",
                                 "inject=io_uring_setup:error=ENOMEM", chapter_under_test().server,
                                 "--port", "0"}});
    REQUIRE(strace.read_to_end().empty());
    REQUIRE(strace.wait_for_exit() == "exit 1");
    REQUIRE_THAT(strace.diagnostics(),
                 StartsWith("error: io_uring_setup: Cannot allocate memory: the limit"));
}

TEST_CASE("a worker that fails ends the server, which says why", "[promise]") {
    require_io_uring();
    require_strace();
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    const Program fails = failing_ring(worker_of(server));
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: io_uring_enter: Invalid argument\n");
}

TEST_CASE("a worker that fails while the server ends already ends it at once, and it says why",
          "[promise]") {
    require_io_uring();
    require_strace();
    Server server(with_drain_timeout(a_day));
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    server.signal(SIGTERM);
    wait_until_taken_and_released(server, SIGTERM);
    wait_until_at_rest(server);
    const Program fails = failing_ring(worker_of(server));
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(),
                 ContainsSubstring("error: io_uring_enter: Invalid argument\n"));
}

TEST_CASE("SIGUSR1 is not ours: it does what it does to every process", "[promise]") {
    require_io_uring();
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.signal(SIGUSR1);
    REQUIRE(server.wait_for_exit() == "killed by SIGUSR1");
}

TEST_CASE("worker: its work is done in a thread of its own, and what it throws leaves wait()",
          "[promise]") {
    require_io_uring();
    const Event failed;
    std::thread::id ran_in;
    Worker works(4, failed);
    works.start([&ran_in](Reactor& reactor) {
        reactor.start([](Reactor& loop, std::thread::id& id) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{1});
            id = std::this_thread::get_id();
        }(reactor, ran_in));
        reactor.run();
    });
    works.wait();
    REQUIRE(ran_in != std::thread::id());
    REQUIRE(ran_in != std::this_thread::get_id());
    pollfd failure{failed.fd().get(), POLLIN, 0};
    REQUIRE(::poll(&failure, 1, 0) == 0);

    Worker fails(4, failed);
    fails.start([](Reactor& reactor) {
        reactor.start([](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{1});
            throw std::runtime_error("enough");
        }(reactor));
        reactor.run();
    });
    REQUIRE(::poll(&failure, 1, -1) == 1);  // The owner is told.
    REQUIRE_THROWS_AS(fails.wait(), std::runtime_error);
}

TEST_CASE("worker: every exception of its work is its owner's, whatever its type", "[promise]") {
    require_io_uring();
    const Event failed;
    Worker fails(4, failed);
    fails.start([](Reactor&) { throw std::future_error(std::future_errc::no_state); });
    pollfd failure{failed.fd().get(), POLLIN, 0};
    REQUIRE(::poll(&failure, 1, -1) == 1);
    REQUIRE_THROWS_AS(fails.wait(), std::future_error);
}

TEST_CASE("worker: one that is never started ends with its owner", "[promise]") {
    require_io_uring();
    const Event failed;
    const Worker never(4, failed);
}

TEST_CASE("worker: one without a loop throws where it is made", "[promise]") {
    require_io_uring();
    const Event failed;
    REQUIRE_THROWS_AS(Worker(1U << 20U, failed), std::runtime_error);  // More than a ring takes.
}

TEST_CASE("event: every thread learns of it, before and after", "[promise]") {
    require_io_uring();
    const Event failed;
    const Event event;
    std::atomic<int> learnt = 0;
    std::vector<std::unique_ptr<Worker>> workers;
    for (int i = 0; i < 3; ++i) {
        workers.push_back(std::make_unique<Worker>(4U, failed));
    }
    const auto learn = [&](Reactor& reactor) {
        reactor.start(count_when_happened(reactor, event, learnt));
        reactor.run();
    };
    workers[0]->start(learn);
    workers[1]->start(learn);
    event.happen();
    workers[2]->start(learn);
    for (const auto& worker : workers) {
        worker->wait();
    }
    REQUIRE(learnt == 3);
}

TEST_CASE("event: a coroutine can be destroyed while it waits", "[promise]") {
    require_io_uring();
    const Event event;
    std::atomic<int> learnt = 0;
    {
        Reactor reactor(1, 16);
        reactor.start(count_when_happened(reactor, event, learnt));
        reactor.start([](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{1});
            throw std::runtime_error("enough");
        }(reactor));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    event.happen();
    Reactor reactor(1, 16);
    reactor.start(count_when_happened(reactor, event, learnt));
    reactor.run();
    REQUIRE(learnt == 1);  // And not the one that is gone.
}

TEST_CASE("signals: the wait ends with a signal, which is taken, and with an event", "[promise]") {
    const Fd signals = hold_signals({SIGUSR2});
    const Event event;
    event.happen();
    wait_for_signal(signals, event);
    const Event never;
    REQUIRE(::raise(SIGUSR2) == 0);
    wait_for_signal(signals, never);
    signalfd_siginfo signal{};
    REQUIRE(::read(signals.get(), &signal, sizeof signal) == -1);  // It has been taken.
    REQUIRE(errno == EAGAIN);
    release_signals({SIGUSR2});
}

TEST_CASE("one thread serves all clients still", "[limit]") {
    require_io_uring();
    REQUIRE(threads_that_serve(chapter_under_test(), {}) == "one thread serves everybody");
}
