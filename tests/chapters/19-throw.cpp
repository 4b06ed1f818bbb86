// Chapter 19: an exception leaves a coroutine, and its frame goes with it.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <stdexcept>
#include <string>
#include <utility>

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

using Catch::Matchers::Equals;
using Catch::Matchers::Matches;

namespace {

/// Waits for an event, and fails.
Coroutine fail_at_an_event(Reactor& reactor, Fd fd, Counted parameter) {
    const Counted local = parameter;
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    throw std::runtime_error("it has failed");
}

/// Notes each of its turns, and pauses.
Coroutine pause_again_and_again(Reactor& reactor, Fd fd, int& turns) {
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    while (true) {
        ++turns;
        co_await watched.pause();
    }
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

TEST_CASE("for small echoes the server makes the same system calls as when the listener yielded",
          "[why]") {
    require_strace();
    // The listener goes on at once a few times, as everybody: without a look at epoll in between.
    REQUIRE(by_descriptor(system_calls_of_a_session(chapter_under_test())) ==
            by_descriptor(system_calls_of_a_session(chapter_before())));
}

// Before, it would have ended the process: std::terminate().
TEST_CASE("coroutine: what it throws comes out of the call that has resumed it", "[why]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    Pair pair;
    fail_at_an_event(reactor, std::move(pair.ours), Counted());
    REQUIRE(Counted::alive == 2);
    REQUIRE_THROWS_AS(reactor.run_once(), std::runtime_error);
    REQUIRE(Counted::alive ==
            0);  // The local variable on the way out, the parameter with the frame.
}

TEST_CASE("a listener that is broken ends the server, with the reason", "[promise]") {
    require_strace();
    Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection broken(server, "accept4:error=EBADF");
    Client last(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(), Equals("error: accept: Bad file descriptor\n"));
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

TEST_CASE("watched descriptor: a pause lasts a while, or until anything happens", "[promise]") {
    Reactor reactor;
    Pair pair;
    int turns = 0;
    pause_again_and_again(reactor, std::move(pair.ours), turns);
    reactor.run_once();  // The first event.
    REQUIRE(turns == 1);
    reactor.run_once();  // Nothing happens.
    REQUIRE(turns == 2);
    say(pair.theirs, "something");
    reactor.run_once();
    REQUIRE(turns == 3);
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
