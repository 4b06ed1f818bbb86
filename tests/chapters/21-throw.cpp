// Chapter 21: an exception that leaves a coroutine is kept, and thrown on by who has resumed it.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "fd.hpp"
#include "runtime/coroutine.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/watched_fd.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// What has come, or nothing.
std::string hear(const Fd& fd) {
    std::array<char, 64> bytes{};
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : std::string();
}

bool is_closed_at_the_other_end(const Fd& fd) {
    char byte = 0;
    return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

/// Hears words, and throws what it takes for an error.
Coroutine hear_until_error(Counted parameter, Reactor& reactor, Fd fd) {
    const Counted local = parameter;
    const WatchedFd watched(reactor, std::move(fd));
    std::string heard;
    while (!heard.starts_with("error")) {
        co_await watched.event();
        heard = hear(watched.fd());
    }
    throw std::runtime_error(heard);
}

/// Throws before it has waited for anything, unless there is a descriptor.
Coroutine throw_without_descriptor(Counted parameter, Reactor& reactor, Fd fd) {
    const Counted local = parameter;
    if (fd.get() == -1) {
        throw std::runtime_error("no descriptor");
    }
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
}

/// Counts its turns, and pauses after each.
Coroutine count_and_pause(Reactor& reactor, Fd fd, int& turns) {
    const WatchedFd watched(reactor, std::move(fd));
    co_await watched.event();
    while (true) {
        ++turns;
        co_await watched.pause();
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

/// How many of eight clients that have connected meanwhile the listener takes in its fullest turn.
std::size_t clients_taken_in_a_turn() {
    const Server server;
    const SystemCallTrace trace(server, "epoll_wait,accept4");
    server.stop_all();
    std::vector<Client> crowd;
    for (int i = 0; i < 8; ++i) {
        crowd.emplace_back(server);
    }
    server.continue_all();
    wait_until("all are accepted", [&] { return server.count_clients() == crowd.size(); });
    wait_until_at_rest(server);
    std::size_t most = 0;
    std::size_t taken = 0;
    for (const std::string& call : trace.lines()) {
        const bool is_client = call.starts_with("accept4(") && call.find("EAGAIN") == call.npos;
        taken = is_client ? taken + 1 : 0;
        most = std::max(most, taken);
    }
    return most;
}

/// Has the listener try to take a client in. The server may end before that client is connected.
void knock(const Server& server) {
    try {
        const Client client(server);
    } catch (const std::system_error&) {
    }
}

}  // namespace

TEST_CASE(
    "for small echoes each descriptor sees the same system calls as when the listener yielded",
    "[why]") {
    require_strace();
    REQUIRE(by_descriptor(system_calls_of_a_session(chapter_under_test())) ==
            by_descriptor(system_calls_of_a_session(chapter_before())));
}

// Before, an exception that left a coroutine ended the process.
TEST_CASE(
    "coroutine: what it throws comes out of the turn in which it was thrown, and its frame is gone",
    "[why]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    Pair pair;
    hear_until_error(Counted(), reactor, std::move(pair.ours));
    reactor.run_once();            // Room to send is the first event.
    REQUIRE(Counted::alive == 2);  // The parameter and the local variable.
    say(pair.theirs, "error: no more words");
    REQUIRE_THROWS_WITH(reactor.run_once(), "error: no more words");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("coroutine: what it throws is thrown on once", "[promise]") {
    Reactor reactor;
    Pair broken;
    Pair waits;
    hear_until_error(Counted(), reactor, std::move(broken.ours));
    hear_until_error(Counted(), reactor, std::move(waits.ours));
    reactor.run_once();
    say(broken.theirs, "error");
    REQUIRE_THROWS_WITH(reactor.run_once(), "error");
    REQUIRE(Coroutine::failure == nullptr);
    say(waits.theirs, "all is well");
    REQUIRE_NOTHROW(reactor.run_once());
}

TEST_CASE("watched descriptor: after an exception the others wait on, and end with the reactor",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    Pair broken;
    Pair waits;
    {
        Reactor reactor;
        hear_until_error(Counted(), reactor, std::move(broken.ours));
        hear_until_error(Counted(), reactor, std::move(waits.ours));
        reactor.run_once();
        say(broken.theirs, "error");
        REQUIRE_THROWS_WITH(reactor.run_once(), "error");
        REQUIRE(Counted::alive == 2);  // Those of the one who waits.
        REQUIRE_FALSE(is_closed_at_the_other_end(waits.theirs));
        say(waits.theirs, "all is well");
        reactor.run_once();
        REQUIRE(Counted::alive == 2);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(is_closed_at_the_other_end(broken.theirs));
    REQUIRE(is_closed_at_the_other_end(waits.theirs));
}

TEST_CASE("watched descriptor: who pauses goes on without an event", "[promise]") {
    Reactor reactor;
    Pair pair;
    int turns = 0;
    count_and_pause(reactor, std::move(pair.ours), turns);
    for (int i = 1; i <= 3; ++i) {
        reactor.run_once();
        REQUIRE(turns == i);
    }
}

TEST_CASE("the listener takes a few clients in a turn, and then the others have theirs",
          "[promise]") {
    require_strace();
    REQUIRE(clients_taken_in_a_turn() == 4);
}

TEST_CASE("when the listener is broken the server says so and exits with 1", "[promise]") {
    require_strace();
    Server server;
    const FaultInjection broken(server, "accept4:error=EINVAL");
    knock(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::StartsWith("error: accept: Invalid argument\n"));
}

TEST_CASE("when the listener is broken every descriptor is closed before the server exits",
          "[promise]") {
    require_strace();
    Server server;
    Client silent(server);
    Client another(server);
    REQUIRE(silent.exchange("hello") == "hello");
    REQUIRE(another.exchange("hello") == "hello");
    wait_until_at_rest(server);
    std::vector<std::string> closing;  // The listener, epoll and the clients.
    for (const proc::Descriptor& descriptor : proc::descriptors(server.pid())) {
        if (descriptor.is_close_on_exec) {
            closing.push_back("close(" + std::to_string(descriptor.number) + ") = 0\n");
        }
    }
    REQUIRE(closing.size() == 4);

    Program strace("strace", {.arguments = {"-qq", "-a", "1", "-e", "trace=accept4,close", "-e",
                                            "inject=accept4:error=EINVAL", "-p",
                                            std::to_string(server.pid())}});
    wait_until("strace has attached to the server", [&] { return proc::is_traced(server.pid()); });
    knock(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(strace.wait_for_exit() == "exit 0");
    for (const std::string& call : closing) {
        REQUIRE_THAT(strace.diagnostics(), Catch::Matchers::ContainsSubstring(call));
    }
    REQUIRE(silent.receive_to_end().empty());
    REQUIRE(another.receive_to_end().empty());
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
                 Catch::Matchers::StartsWith("client 127.0.0.1:") &&
                     Catch::Matchers::EndsWith(": epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("coroutine: what it throws before its first wait comes out of a turn of another one",
          "[limit]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    REQUIRE_NOTHROW(throw_without_descriptor(Counted(), reactor, Fd()));
    REQUIRE(Counted::alive == 0);

    // There is one place for the whole process, and so the other one may even have another reactor.
    Reactor another_reactor;
    Pair pair;
    hear_until_error(Counted(), another_reactor, std::move(pair.ours));
    REQUIRE_THROWS_WITH(another_reactor.run_once(), "no descriptor");
    REQUIRE(Counted::alive == 2);  // It has done nothing wrong, and waits for its next event.
}

TEST_CASE("watched descriptor: who waits for a second one loses the first", "[limit]") {
    std::string heard;
    Reactor reactor;
    Pair one;
    Pair two;
    hear_one_then_another(reactor, std::move(one.ours), std::move(two.ours), heard);
    reactor.run_once();  // Room to send in both. It waits for words in the second one now.
    // It is closed, although the coroutine has it still.
    REQUIRE(is_closed_at_the_other_end(one.theirs));
    say(two.theirs, "late");
    reactor.run_once();
    REQUIRE(heard == "late");
}
