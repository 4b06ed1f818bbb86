// Chapter 24: the loop owns what it has been given to start, and all that this awaits.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <coroutine>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/task.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

/// Has the listener break when twenty clients are being served, and counts those whose descriptors
/// the server closes before it ends.
std::string closed_by_a_server_that_ends(const Chapter& chapter) {
    constexpr int count = 20;
    // It accepts each client, and finds that there is no other. What comes then is injected.
    const std::string fault =
        "inject=accept4:error=EBADF:when=" + std::to_string(2 * count + 1) + "+";
    Program server(
        "strace", {.arguments = {"-qq", "-a", "1", "-e", "signal=none", "-e", "trace=accept4,close",
                                 "-e", fault, chapter.server.string(), "--port", "0"}});
    const Endpoint endpoint = parse_ready_line(server.read_line());
    std::vector<Client> clients;
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(endpoint);
        REQUIRE(clients.back().exchange("hello") == "hello");
    }
    try {
        const Client one_more(endpoint);
    } catch (const std::system_error& error) {
        // The server may have ended before connect() returns.
        REQUIRE(error.code() == std::errc::connection_reset);
    }
    const std::string status = server.wait_for_exit();

    std::vector<std::string> open;
    int closed = 0;
    std::istringstream log(server.diagnostics());
    for (std::string line; std::getline(log, line);) {
        std::smatch found;
        if (std::regex_match(line, found, std::regex("accept4\\(.*\\) = ([0-9]+)"))) {
            open.push_back(found[1]);
        } else if (std::regex_match(line, found, std::regex("close\\(([0-9]+)\\) = 0"))) {
            closed += static_cast<int>(std::erase(open, found[1].str()));
        }
    }
    return std::to_string(closed) + " of " + std::to_string(closed + std::ssize(open)) +
           " clients are closed, then " + status;
}

/// Without those that the address sanitizer makes whenever something is thrown.
std::vector<std::string> calls_of_a_session(const Chapter& chapter) {
    std::vector<std::string> calls = system_calls_of_a_session(chapter);
    std::erase_if(calls, [](const std::string& call) { return call.starts_with("sigaltstack("); });
    return calls;
}

/// Where a coroutine can be left, and resumed by the test.
struct Stop {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { stopped = frame; }
    void await_resume() const {}

    void go_on() { std::exchange(stopped, nullptr).resume(); }

    std::coroutine_handle<> stopped;
};

Task stop_at(Stop& stop, Counted parameter) {
    const Counted local = parameter;
    co_await stop;
}

Task fail_at_once(std::string words) {
    const Counted local;
    throw std::runtime_error(words);
    co_return;
}

/// Waits for an event, which comes at once, and fails.
Task fail_in_a_round(Reactor& reactor, Fd fd, std::string words) {
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    throw std::runtime_error(words);
}

/// Takes so many turns, each in a round of its own, and ends.
Task take_turns(Reactor& reactor, Fd fd, int turns, int& left) {
    const Counted local;
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    for (left = turns; left > 0; --left) {
        co_await watched.pause();
    }
}

/// One round of the loop: everybody who is ready has a turn, and then run() is left.
void go_round(Reactor& reactor) {
    Pair pair;
    reactor.start(fail_in_a_round(reactor, std::move(pair.ours), "the round is over"));
    REQUIRE_THROWS_WITH(reactor.run(), "the round is over");
}

/// Notes its name when it is destroyed.
class Noted {
public:
    Noted(std::string name, std::string& notes) : name_(std::move(name)), notes_(notes) {}
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted() { notes_ += name_ + " "; }

private:
    const std::string name_;
    std::string& notes_;
};

Task hear_one(const WatchedFd& guest, std::string& notes) {
    const Noted noted("hear_one", notes);
    char byte = 0;
    while (::read(guest.fd().get(), &byte, 1) != 1) {
        co_await guest.event();
    }
    notes += "heard ";
}

Task hear_all(const WatchedFd& guest, std::string& notes) {
    const Noted noted("hear_all", notes);
    while (true) {
        co_await hear_one(guest, notes);
    }
}

Task receive_guest(Reactor& reactor, Fd fd, std::string& notes) {
    const Noted noted("receive_guest", notes);
    const WatchedFd guest(reactor, std::move(fd));
    co_await guest.event();
    co_await hear_all(guest, notes);
}

/// What the one at this end of a connection can find out about the other one.
std::string other_end(const Fd& fd) {
    char byte = 0;
    const ssize_t count = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    if (count == 0) {
        return "closed";
    }
    return count == -1 && errno == EAGAIN ? "open" : "unexpected";
}

/// The return type of a coroutine that keeps what its promise has been given.
struct Witness {
    struct promise_type {
        promise_type(Counted& of_the_call, const std::string& words, Counted*&)
            : parameter(&of_the_call), heard(words) {}

        Witness get_return_object() const { return {heard, parameter}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept {}

        Counted* parameter;
        std::string heard;
    };

    std::string heard;
    Counted* parameter;
};

Witness show(Counted parameter, const std::string& /* words */, Counted*& in_the_frame) {
    in_the_frame = &parameter;
    co_return;
}

template <typename Promise>
concept TakesAResult = requires(Promise promise) {
    promise.return_value(1);
};

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before its loop owned it",
          "[why]") {
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

TEST_CASE("a server that ends with its listener closes its clients' descriptors first", "[why]") {
    require_strace();
    REQUIRE(closed_by_a_server_that_ends(chapter_before()) ==
            "0 of 20 clients are closed, then exit 1");
    REQUIRE(closed_by_a_server_that_ends(chapter_under_test()) ==
            "20 of 20 clients are closed, then exit 1");
}

// Before, there was one place for the whole process: the loop that resumed next threw it.
TEST_CASE("start: what a task throws leaves the loop that has started it, and no other", "[why]") {
    Reactor loop;
    Reactor another;
    Pair pair;
    int left = 0;
    loop.start(fail_at_once("it has failed"));
    another.start(take_turns(another, std::move(pair.ours), 1, left));
    another.run();
    REQUIRE_THROWS_WITH(loop.run(), "it has failed");
}

TEST_CASE("start: the task has begun, and the loop owns it until it has ended", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop stop;
    Reactor reactor;
    reactor.start(stop_at(stop, Counted()));
    REQUIRE(stop.stopped);
    REQUIRE(Counted::alive == 2);  // The parameter and the local variable.
    stop.go_on();
    REQUIRE(Counted::alive == 0);  // At once. No round of the loop is needed for it.
    reactor.run();                 // Nothing is left, so it returns.
}

TEST_CASE("start: what has not ended ends with the loop, where it is suspended", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop stop;
    Stop another;
    {
        Reactor reactor;
        reactor.start(stop_at(stop, Counted()));
        reactor.start(stop_at(another, Counted()));
        REQUIRE(Counted::alive == 4);
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("start: with the outermost coroutine go those that it awaits, the innermost first",
          "[promise]") {
    std::string notes;
    Pair pair;
    {
        Reactor reactor;
        reactor.start(receive_guest(reactor, std::move(pair.ours), notes));
        go_round(reactor);
        say(pair.theirs, "a");
        go_round(reactor);
        REQUIRE(notes == "heard hear_one ");  // One has ended. The next one waits.
        REQUIRE(other_end(pair.theirs) == "open");
        notes.clear();
    }
    REQUIRE(notes == "hear_one hear_all receive_guest ");
    REQUIRE(other_end(pair.theirs) == "closed");
}

TEST_CASE("run: it returns when every task has ended", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    Pair one;
    Pair two;
    int left_of_one = -1;
    int left_of_two = -1;
    reactor.start(take_turns(reactor, std::move(one.ours), 1, left_of_one));
    reactor.start(take_turns(reactor, std::move(two.ours), 3, left_of_two));
    REQUIRE(Counted::alive == 2);
    reactor.run();
    REQUIRE(left_of_one == 0);
    REQUIRE(left_of_two == 0);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("run: it throws what a task has thrown, the others wait on, and the next run() has them",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    Pair one;
    Pair two;
    int left = -1;
    reactor.start(fail_in_a_round(reactor, std::move(two.ours), "it has failed"));
    reactor.start(take_turns(reactor, std::move(one.ours), 3, left));
    REQUIRE_THROWS_WITH(reactor.run(), "it has failed");
    REQUIRE(left == 3);  // It has had its turn in that round, behind the one that has failed.
    REQUIRE(Counted::alive == 1);
    REQUIRE(other_end(two.theirs) == "closed");
    reactor.run();
    REQUIRE(left == 0);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("start: a task that fails before it waits is gone, and run() throws what it has thrown",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop stop;
    Reactor reactor;
    reactor.start(stop_at(stop, Counted()));
    REQUIRE_NOTHROW(reactor.start(fail_at_once("it has failed")));
    REQUIRE(Counted::alive == 2);
    REQUIRE_THROWS_WITH(reactor.run(), "it has failed");  // And does not wait for anything.
}

TEST_CASE("a promise's constructor is given the parameters of its coroutine, those in the frame",
          "[promise]") {
    Counted* in_the_frame = nullptr;
    const Witness witness = show(Counted(), "some words", in_the_frame);
    REQUIRE(witness.heard == "some words");
    REQUIRE(witness.parameter == in_the_frame);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("a client whom epoll cannot take ends alone", "[promise]") {
    require_strace();
    const Server server;
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("a broken listener ends the server at once, which says why", "[promise]") {
    require_strace();
    Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection broken(server, "accept4:error=EBADF");
    server.stop_all();  // So that the connection is there before the server ends.
    const Client next(server);
    server.continue_all();
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(), StartsWith("error: accept: Bad file descriptor\n"));
}

TEST_CASE("run: of two tasks that fail in one round the last is heard of", "[limit]") {
    Reactor reactor;
    reactor.start(fail_at_once("the first"));
    reactor.start(fail_at_once("the last"));
    REQUIRE_THROWS_WITH(reactor.run(), "the last");
    REQUIRE_NOTHROW(reactor.run());
}

TEST_CASE("task: it returns nothing", "[limit]") {
    STATIC_REQUIRE_FALSE(TakesAResult<Task::promise_type>);
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}

TEST_CASE("clients that come in one go are taken in four at a time", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    std::vector<int> taken = {0};  // In each round.
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("epoll_")) {
            taken.push_back(0);
        } else if (call.find(" = -1 ") == std::string::npos) {
            ++taken.back();
        }
    }
    REQUIRE(*std::max_element(taken.begin(), taken.end()) == 4);
}

namespace {

/// Waits for an event, and then for the test.
Task wait_for_an_event_then(const WatchedFd& watched, Stop& stop, std::string& noted) {
    co_await watched.event();
    noted += "event ";
    co_await stop;
    noted += "stop ";
}

}  // namespace

TEST_CASE("an event of a descriptor for which nobody waits any more resumes nobody", "[promise]") {
    std::string noted;
    Stop stop;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(wait_for_an_event_then(watched, stop, noted));
    go_round(reactor);  // There is room to send: the first event.
    REQUIRE(noted == "event ");
    say(pair.theirs, "another");
    go_round(reactor);
    REQUIRE(noted == "event ");
    stop.go_on();
    REQUIRE(noted == "event stop ");
}
