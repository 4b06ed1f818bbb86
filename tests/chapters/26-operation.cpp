// Chapter 26: a system call is awaited itself, and needs no frame of its own.

#include "runtime/operation.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "address.hpp"
#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ready_queue.hpp"
#include "runtime/task.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::StartsWith;

namespace {

/// Without those that the address sanitizer makes whenever something is thrown: how often that is
/// depends on the depth of the tasks.
std::vector<std::string> calls_of_a_session(const Chapter& chapter) {
    std::vector<std::string> calls = system_calls_of_a_session(chapter);
    std::erase_if(calls, [](const std::string& call) { return call.starts_with("sigaltstack("); });
    return calls;
}

/// How often the server asks for memory while a client has ten echoes, one after another.
int allocations_of_ten_echoes(const Chapter& chapter) {
    constexpr int plenty = 1000;
    const Server server(chapter, {.allocations_can_fail = true});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.fail_allocation(plenty);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    wait_until_at_rest(server);
    return plenty - server.allocations_left();
}

/// `co_await Expiration(timer)`: how often a timer has expired.
class Expiration : public Operation {
public:
    explicit Expiration(const WatchedFd& timer) : Operation(timer) {}

    std::uint64_t await_resume() const {
        count("read a timer");
        return times_;
    }

private:
    ssize_t call() override { return ::read(fd(), &times_, sizeof times_); }

    std::uint64_t times_ = 0;
};

Task<> count_expirations(Reactor& reactor, Fd timer, std::uint64_t& times) {
    const WatchedFd watched(reactor, std::move(timer));
    times = co_await Expiration(watched);
}

/// The errors with which a call fails, one after another, and how often it has been made.
struct Script {
    std::vector<int> errors;
    int calls = 0;
};

/// An operation that fails as its script says, and then returns 7.
class Scripted : public Operation {
public:
    Scripted(const WatchedFd& watched, Script& script) : Operation(watched), script_(script) {}

    std::size_t await_resume() const { return count("scripted"); }

private:
    ssize_t call() override {
        const auto number = static_cast<std::size_t>(script_.calls++);
        if (number >= script_.errors.size()) {
            return 7;
        }
        errno = script_.errors[number];
        return -1;
    }

    Script& script_;
    Counted counted_;
};

/// Where a coroutine can be left, and resumed by the test.
struct Stop {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { stopped = frame; }
    void await_resume() const {}

    std::coroutine_handle<> stopped;
};

/// Notes what has come of it, and stops behind the statement.
Task<> await_scripted(const WatchedFd& watched, Script& script, std::string& noted, Stop& behind) {
    try {
        const std::size_t result = co_await Scripted(watched, script);
        noted = std::to_string(result);
    } catch (const std::exception& error) {
        noted = error.what();
    }
    co_await behind;
}

/// Hears one byte at a time, as long as there are any, and notes its name for each.
Task<> note_bytes(Reactor& reactor, Fd fd, char name, std::string& noted) {
    const Counted local;
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    std::array<char, 1> byte;
    while (co_await receive(watched, byte) != 0) {
        noted += name;
    }
}

/// Sends all of it, however long the other end takes to make room.
Task<> send_all(Reactor& reactor, Fd fd, std::string_view bytes) {
    const WatchedFd watched(reactor, std::move(fd));
    while (!bytes.empty()) {
        bytes.remove_prefix(co_await send_some(watched, bytes));
    }
}

/// Takes what comes, up to the end of the file.
Task<> receive_all(Reactor& reactor, Fd fd, std::string& received) {
    const WatchedFd watched(reactor, std::move(fd));
    std::array<char, 1000> buffer;
    while (const std::size_t count = co_await receive(watched, buffer)) {
        received.append(buffer.data(), count);
    }
}

Task<> note_error_of_sending(Reactor& reactor, Fd fd, std::string& noted) {
    const WatchedFd watched(reactor, std::move(fd));
    try {
        const std::array<char, 1> byte{};
        co_await send_some(watched, byte);
    } catch (const std::exception& error) {
        noted = error.what();
    }
}

Task<> note_error_of_receiving(Reactor& reactor, Fd fd, std::string& noted) {
    const WatchedFd watched(reactor, std::move(fd));
    try {
        std::array<char, 1> byte;
        co_await receive(watched, byte);
    } catch (const std::exception& error) {
        noted = error.what();
    }
}

Task<> throw_at_an_event(Reactor& reactor, Fd fd) {
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    throw std::runtime_error("the round is over");
}

/// One round: a turn for each descriptor that has news. run() ends behind the round in which a task
/// throws, and a new socket has its first event at once.
void run_a_round(Reactor& reactor) {
    Pair pair;
    reactor.start(throw_at_an_event(reactor, std::move(pair.ours)));
    REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as with a task for each call",
          "[why]") {
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

// Before, each read and each send was a task, and had a frame made for it.
TEST_CASE("ten echoes need no memory, where they needed twenty frames", "[why]") {
    require_failing_allocations();
    REQUIRE(allocations_of_ten_echoes(chapter_before()) == 20);
    REQUIRE(allocations_of_ten_echoes(chapter_under_test()) == 0);
}

// Before, this took a coroutine with a loop, as each of the server's calls did.
TEST_CASE(
    "operation: a call that the runtime does not know is awaited by a class with one function",
    "[why]") {
    Fd timer{
        check(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")};
    const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1000}};
    check(::timerfd_settime(timer.get(), 0, &soon, nullptr), "timerfd_settime");
    std::uint64_t times = 0;
    Reactor reactor;
    reactor.start(count_expirations(reactor, std::move(timer), times));
    reactor.run();
    REQUIRE(times == 1);
}

TEST_CASE("operation: where the call need not wait, the coroutine goes on at once", "[promise]") {
    Script script;
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(await_scripted(watched, script, noted, behind));
    REQUIRE(noted == "7");
    REQUIRE(script.calls == 1);
}

TEST_CASE("operation: the call is made again after each event, and then the coroutine is resumed",
          "[promise]") {
    Script script{{EAGAIN, EAGAIN}};
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    run_a_round(reactor);  // There is room to send: the first event.
    reactor.start(await_scripted(watched, script, noted, behind));
    REQUIRE(script.calls == 1);
    run_a_round(reactor);  // No event, no call.
    REQUIRE(script.calls == 1);
    say(pair.theirs, "one");
    run_a_round(reactor);
    REQUIRE(script.calls == 2);
    REQUIRE(noted.empty());
    say(pair.theirs, "two");
    run_a_round(reactor);
    REQUIRE(script.calls == 3);
    REQUIRE(noted == "7");
}

TEST_CASE("operation: a call that a signal has interrupted is made again at once", "[promise]") {
    Script script{{EINTR, EINTR}};
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(await_scripted(watched, script, noted, behind));
    REQUIRE(script.calls == 3);
    REQUIRE(noted == "7");
}

TEST_CASE("operation: the error of a call that the reactor has made is thrown in the coroutine",
          "[promise]") {
    Script script{{EAGAIN, ECONNRESET}};
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(await_scripted(watched, script, noted, behind));
    run_a_round(reactor);
    REQUIRE(noted == "scripted: Connection reset by peer");
    REQUIRE(script.calls == 2);
}

TEST_CASE("operation: it lives from its call to the end of the statement that awaits it",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    Script script{{EAGAIN}};
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(await_scripted(watched, script, noted, behind));
    REQUIRE(Counted::alive == 1);  // It is suspended: the operation lies in the frame.
    run_a_round(reactor);
    REQUIRE(behind.stopped);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("operation: eight steps, and then the others have their turn", "[promise]") {
    std::string noted;
    Reactor reactor;
    Pair one;
    Pair two;
    const std::string bytes(20, '!');
    say(one.theirs, bytes);
    say(two.theirs, bytes);
    one.theirs.close();
    two.theirs.close();
    reactor.start(note_bytes(reactor, std::move(one.ours), 'a', noted));
    reactor.start(note_bytes(reactor, std::move(two.ours), 'b', noted));
    reactor.run();
    // In the first turn the coroutine awaits an event, and then seven reads: the eighth step is one
    // too many. From then on the reactor makes a call itself, before it resumes the coroutine.
    REQUIRE(noted ==
            "aaaaaaa"
            "bbbbbbb"
            "aaaaaaaa"
            "bbbbbbbb"
            "aaaaa"
            "bbbbb");
}

TEST_CASE("operation: what is sent without room for it arrives in its order", "[promise]") {
    const std::string bytes = random_bytes(1024 * 1024);
    std::string received;
    Reactor reactor;
    Pair pair;
    check(::fcntl(pair.theirs.get(), F_SETFL, O_NONBLOCK), "fcntl");
    reactor.start(send_all(reactor, std::move(pair.ours), bytes));
    reactor.start(receive_all(reactor, std::move(pair.theirs), received));
    reactor.run();
    REQUIRE(received.size() == bytes.size());
    REQUIRE(received == bytes);
}

TEST_CASE("operation: an error says which call it was, and a connection that is gone is no signal",
          "[promise]") {
    std::string noted;
    Reactor reactor;
    {
        Pair pair;
        pair.theirs.close();
        reactor.start(note_error_of_sending(reactor, std::move(pair.ours), noted));
        REQUIRE(noted == "send: Broken pipe");
    }
    Pair pair;
    say(pair.ours, "unread");
    pair.theirs.close();
    reactor.start(note_error_of_receiving(reactor, std::move(pair.ours), noted));
    REQUIRE(noted == "read: Connection reset by peer");
}

TEST_CASE(
    "operation: with the reactor it ends where it waits, and its coroutine and descriptor too",
    "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    Pair pair;
    {
        Reactor reactor;
        reactor.start(note_bytes(reactor, std::move(pair.ours), 'a', noted));
        run_a_round(reactor);  // It has read nothing, and waits.
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
    char byte = 0;
    REQUIRE(::read(pair.theirs.get(), &byte, 1) == 0);  // The other end is closed.
}

// Any descriptor that is watched can be given to receive().
TEST_CASE("operation: a listener can be asked for bytes, and only the kernel objects", "[limit]") {
    std::string noted;
    Reactor reactor;
    Fd listener{check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")};
    check(::listen(listener.get(), 1), "listen");
    reactor.start(note_error_of_receiving(reactor, std::move(listener), noted));
    REQUIRE(noted == "read: Transport endpoint is not connected");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}

TEST_CASE(
    "operation: an event that comes when the coroutine waits for something else resumes nobody",
    "[promise]") {
    Script script{{EAGAIN}};
    std::string noted;
    Stop behind;
    Reactor reactor;
    Pair pair;
    const WatchedFd watched(reactor, std::move(pair.ours));
    reactor.start(await_scripted(watched, script, noted, behind));
    run_a_round(reactor);
    REQUIRE(noted == "7");
    REQUIRE(script.calls == 2);
    const std::coroutine_handle<> stopped = behind.stopped;
    behind.stopped = nullptr;
    say(pair.theirs, "!");
    run_a_round(reactor);
    REQUIRE(script.calls == 2);     // The operation has ended: nobody makes its call again,
    REQUIRE_FALSE(behind.stopped);  // and its coroutine is not taken from where it is now.
    stopped.resume();
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
                 Catch::Matchers::Matches(
                     "client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}
