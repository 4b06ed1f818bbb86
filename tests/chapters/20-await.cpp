// Chapter 20: a coroutine hands itself to an object that has it resumed later.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "fd.hpp"
#include "runtime/coroutine.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// Has no descriptor, and knows nothing of coroutines: it calls back when somebody rings.
class Doorbell {
public:
    void call_back(std::function<void(std::string)> callback) { callback_ = std::move(callback); }
    void ring(const std::string& name) { std::exchange(callback_, nullptr)(name); }

private:
    std::function<void(std::string)> callback_;
};

/// `co_await Ring(bell)`: who has rung.
class Ring {
public:
    explicit Ring(Doorbell& bell) : bell_(bell) {}

    bool await_ready() const { return false; }

    void await_suspend(std::coroutine_handle<> frame) {
        bell_.call_back([this, frame](std::string name) {
            name_ = std::move(name);
            frame.resume();
        });
    }

    std::string await_resume() { return name_; }

private:
    Doorbell& bell_;
    std::string name_;
};

Coroutine greet_two(Doorbell& bell, std::vector<std::string>& heard) {
    const std::string first = co_await Ring(bell);
    heard.push_back("Hello, " + first);
    const std::string second = co_await Ring(bell);
    heard.push_back("Hello, " + second + " and " + first);
}

Coroutine end_after_a_ring(Counted parameter, Doorbell& bell) {
    const Counted local = parameter;
    co_await Ring(bell);
}

/// What has come, or nothing.
std::string hear(const Fd& fd) {
    std::array<char, 64> bytes{};
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : std::string();
}

/// Hears all that comes, for ever.
Coroutine hear_all(Reactor& reactor, Fd fd, std::string& heard) {
    const Counted local;
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    while (true) {
        const std::string words = hear(watched.fd());
        heard += words;
        if (words.empty()) {
            co_await watched.event();
        }
    }
}

/// Notes its name six times, and could go on each time.
Coroutine note_six_times(Reactor& reactor, Fd fd, char name, std::string& noted) {
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    for (int i = 0; i < 6; ++i) {
        noted += name;
        co_await watched.turn();
    }
}

Coroutine hear_one_then_another(Reactor& reactor, Fd one, Fd another, std::string& heard) {
    const WatchedFd first(reactor, std::move(one));
    const WatchedFd second(reactor, std::move(another));
    co_await first.event();
    while (heard.empty()) {
        co_await second.event();
        heard = hear(second.fd());
    }
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before it could await",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, a coroutine could wait for nothing but its next turn in the reactor.
TEST_CASE("coroutine: it can wait for whatever calls back, and gets what that has to say",
          "[why]") {
    Doorbell bell;
    std::vector<std::string> heard;
    greet_two(bell, heard);
    REQUIRE(heard.empty());
    bell.ring("Ada");
    REQUIRE(heard == std::vector<std::string>{"Hello, Ada"});
    bell.ring("Grace");
    REQUIRE(heard == std::vector<std::string>{"Hello, Ada", "Hello, Grace and Ada"});
}

TEST_CASE("coroutine: its frame is there until it has come to its end, and not longer",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    Doorbell bell;
    end_after_a_ring(Counted(), bell);
    REQUIRE(Counted::alive == 2);  // The parameter and the local variable.
    bell.ring("Ada");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("watched descriptor: the coroutine goes on with each event", "[promise]") {
    std::string heard;
    Reactor reactor;
    Pair pair;
    hear_all(reactor, std::move(pair.ours), heard);
    reactor.run_once();  // Room to send is the first event.
    REQUIRE(heard.empty());
    say(pair.theirs, "one ");
    reactor.run_once();
    REQUIRE(heard == "one ");
    say(pair.theirs, "two");
    reactor.run_once();
    REQUIRE(heard == "one two");
}

TEST_CASE("watched descriptor: who waits for it ends with the reactor, and the descriptor too",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string heard;
    Pair pair;
    {
        Reactor reactor;
        hear_all(reactor, std::move(pair.ours), heard);
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
    char byte = 0;
    REQUIRE(::read(pair.theirs.get(), &byte, 1) == 0);  // The other end is closed.
}

TEST_CASE("watched descriptor: a few turns are taken at once, then the others have theirs",
          "[promise]") {
    std::string noted;
    Reactor reactor;
    Pair one;
    Pair two;
    note_six_times(reactor, std::move(one.ours), 'a', noted);
    note_six_times(reactor, std::move(two.ours), 'b', noted);
    reactor.run_once();
    REQUIRE(noted == "aaaabbbb");
    reactor.run_once();
    REQUIRE(noted == "aaaabbbbaabb");
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

TEST_CASE("watched descriptor: who waits for a second one loses the first", "[limit]") {
    std::string heard;
    Reactor reactor;
    Pair one;
    Pair two;
    hear_one_then_another(reactor, std::move(one.ours), std::move(two.ours), heard);
    reactor.run_once();  // Room to send in both. It waits for words in the second one now.
    char byte = 0;
    REQUIRE(::read(one.theirs.get(), &byte, 1) ==
            0);  // The coroutine still holds it: it is closed.
    say(two.theirs, "late");
    reactor.run_once();
    REQUIRE(heard == "late");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}
