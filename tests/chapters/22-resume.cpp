// Chapter 22: the reactor keeps the coroutines that wait, by descriptor, and resumes them.

#include <sys/socket.h>
#include <unistd.h>

#include <sys/resource.h>
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/coroutine.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ready_queue.hpp"
#include "runtime/watched_fd.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// What has come, "" at the end of the file, or nothing when nothing has come yet.
std::optional<std::string> hear(const Fd& fd) {
    std::array<char, 64> bytes{};
    const ssize_t count = ::recv(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == -1 && errno == EAGAIN) {
        return std::nullopt;
    }
    return std::string(bytes.data(), static_cast<std::size_t>(check(count, "recv")));
}

bool is_closed_at_the_other_end(const Fd& fd) {
    return hear(fd) == "";
}

/// Takes each question from one end to the other, and the answer back, until the end of the file.
Coroutine pass_on(Reactor& reactor, Fd asks, Fd knows) {
    const Counted local;
    const WatchedFd asking(reactor, std::move(asks));
    const WatchedFd knowing(reactor, std::move(knows));
    while (true) {
        std::optional<std::string> words;
        while (!(words = hear(asking.fd()))) {
            co_await asking.event();
        }
        if (words->empty()) {
            co_return;
        }
        say(knowing.fd(), *words);
        while (!(words = hear(knowing.fd()))) {
            co_await knowing.event();
        }
        say(asking.fd(), *words);
    }
}

/// Hears one thing, and throws what it takes for an error.
Coroutine hear_one(Reactor& reactor, Fd fd, std::string& heard) {
    const Counted local;
    const WatchedFd watched(reactor, std::move(fd));
    std::optional<std::string> words;
    while (!(words = hear(watched.fd()))) {
        co_await watched.event();
    }
    if (words->starts_with("error")) {
        throw std::runtime_error(*words);
    }
    heard += *words;
}

/// Hears all that comes, at a descriptor that it does not own.
Coroutine hear_all(const WatchedFd& watched, std::string& heard) {
    const Counted local;
    while (true) {
        if (const std::optional<std::string> words = hear(watched.fd())) {
            heard += *words;
        } else {
            co_await watched.event();
        }
    }
}

/// Notes its name, and takes turns of the one descriptor and of the other.
Coroutine note_in_turns(Reactor& reactor, Fd one, Fd another, char name, std::string& noted) {
    const WatchedFd first(reactor, std::move(one));
    const WatchedFd second(reactor, std::move(another));
    co_await first.event();
    for (int i = 0; i < 6; ++i) {
        noted += name;
        co_await (i % 2 == 0 ? second.turn() : first.turn());
    }
}

/// Waits for one descriptor, and then for another without having looked whether it is ready.
Coroutine wait_for_one_then_another(const WatchedFd& one, const WatchedFd& another,
                                    std::string& noted) {
    co_await one.event();
    noted += "one ";
    co_await another.event();
    noted += "another ";
}

/// Calls a coroutine, as one calls a function.
Coroutine call_and_note(Reactor& reactor, Fd fd, std::string& noted) {
    noted += "calls ";
    hear_one(reactor, std::move(fd), noted);
    noted += "goes on ";
    co_return;
}

/// What comes first in a session when a client has reset its connection: "closed, then reported",
/// or "reported, then closed".
std::string end_of_a_failed_connection(const std::vector<std::string>& calls) {
    const auto find = [&calls](auto from, const std::string& words) {
        const auto call = std::find_if(from, calls.end(), [&words](const std::string& line) {
            return line.find(words) != line.npos;
        });
        REQUIRE(call != calls.end());
        return call;
    };
    const auto failed = find(calls.begin(), "ECONNRESET");
    return find(failed, "close(") < find(failed, "client 127.0.0.1:PORT: read: ")
               ? "closed, then reported"
               : "reported, then closed";
}

/// How many pieces of memory a server that has served a client asks for when the next one comes.
int allocations_for_a_client(const Chapter& chapter) {
    const Server server(chapter, {.allocations_can_fail = true});
    const auto visit = [&server] {
        Client client(server);
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
        wait_until_at_rest(server);
    };
    visit();
    int count = 0;
    std::size_t before = 0;
    do {
        before = server.diagnostics().size();
        server.fail_allocation(++count);
        visit();
    } while (server.diagnostics().size() != before);
    return count - 1;
}

/// Has the listener try to take a client in. The server may end before that client is connected.
void knock(const Server& server) {
    try {
        const Client client(server);
    } catch (const std::system_error&) {
    }
}

}  // namespace

// Before, the coroutine reported its error while the descriptor was still the callback's.
TEST_CASE(
    "for small echoes each descriptor has the same system calls, and a failed one is closed sooner",
    "[why]") {
    require_strace();
    const std::vector<std::string> before = system_calls_of_a_session(chapter_before());
    const std::vector<std::string> now = system_calls_of_a_session(chapter_under_test());
    REQUIRE(by_descriptor(now) == by_descriptor(before));
    REQUIRE(end_of_a_failed_connection(before) == "reported, then closed");
    REQUIRE(end_of_a_failed_connection(now) == "closed, then reported");
}

// Before, the first descriptor was closed when the coroutine waited for the second one.
TEST_CASE("watched descriptor: a coroutine has two, and waits now for one, now for the other",
          "[why]") {
    REQUIRE(Counted::alive == 0);
    Reactor reactor;
    Pair asks;
    Pair knows;
    pass_on(reactor, std::move(asks.ours), std::move(knows.ours));
    for (const std::string number : {"one", "two", "three"}) {
        say(asks.theirs, "what is " + number + "?");
        reactor.run_once();
        REQUIRE(hear(knows.theirs) == "what is " + number + "?");
        say(knows.theirs, number + " is a number");
        reactor.run_once();
        REQUIRE(hear(asks.theirs) == number + " is a number");
    }
    asks.theirs.close();
    reactor.run_once();
    REQUIRE(Counted::alive == 0);
    REQUIRE(is_closed_at_the_other_end(knows.theirs));
}

TEST_CASE("reactor: nothing is left of a coroutine that has ended, and its number is free",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string heard;
    Reactor reactor;
    for (int i = 0; i < 3; ++i) {  // The kernel gives the same numbers again.
        Pair pair;
        hear_one(reactor, std::move(pair.ours), heard);
        REQUIRE(Counted::alive == 1);
        say(pair.theirs, "word ");
        reactor.run_once();
        REQUIRE(Counted::alive == 0);
        REQUIRE(is_closed_at_the_other_end(pair.theirs));
    }
    REQUIRE(heard == "word word word ");
}

TEST_CASE("reactor: with it each coroutine that waits ends, with all of its descriptors",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string heard;
    Pair asks;
    Pair knows;
    Pair silent;
    {
        Reactor reactor;
        pass_on(reactor, std::move(asks.ours), std::move(knows.ours));
        hear_one(reactor, std::move(silent.ours), heard);
        say(asks.theirs, "what is one?");
        reactor.run_once();  // The first one waits for the answer now.
        REQUIRE(Counted::alive == 2);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(hear(knows.theirs) == "what is one?");
    for (const Pair* pair : {&asks, &knows, &silent}) {
        REQUIRE(is_closed_at_the_other_end(pair->theirs));
    }
}

TEST_CASE("watched descriptor: when it is destroyed, the coroutine that waits for it is, too",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string heard;
    Reactor reactor;
    Pair pair;
    auto watched = std::make_unique<WatchedFd>(reactor, std::move(pair.ours));
    hear_all(*watched, heard);
    say(pair.theirs, "hello");
    reactor.run_once();
    REQUIRE(heard == "hello");
    REQUIRE(Counted::alive == 1);
    watched.reset();
    REQUIRE(Counted::alive == 0);
    REQUIRE(is_closed_at_the_other_end(pair.theirs));
}

TEST_CASE("reactor: what leaves a coroutine leaves the round, and the others wait on",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string heard;
    Reactor reactor;
    Pair broken;
    Pair waits;
    hear_one(reactor, std::move(broken.ours), heard);
    hear_one(reactor, std::move(waits.ours), heard);
    reactor.run_once();  // Room to send is the first event.
    say(broken.theirs, "error: no more words");
    REQUIRE_THROWS_WITH(reactor.run_once(), "error: no more words");
    REQUIRE(Counted::alive == 1);
    REQUIRE(is_closed_at_the_other_end(broken.theirs));
    say(waits.theirs, "hello");
    reactor.run_once();
    REQUIRE(heard == "hello");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("reactor: it counts the steps of a turn, whichever descriptors they are for",
          "[promise]") {
    std::string noted;
    Reactor reactor;
    Pair one;
    Pair two;
    Pair three;
    Pair four;
    note_in_turns(reactor, std::move(one.ours), std::move(two.ours), 'a', noted);
    note_in_turns(reactor, std::move(three.ours), std::move(four.ours), 'b', noted);
    reactor.run_once();
    REQUIRE(noted == "aaaabbbb");
    reactor.run_once();
    REQUIRE(noted == "aaaabbbbaabb");
}

TEST_CASE("a client whose bytes take more steps than a turn has gets them without another event",
          "[promise]") {
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    // Each of the six says that it has sent one byte, and has sent none.
    const FaultInjection short_sends(server, "sendto:retval=1:when=1..6");
    client.send("hello, world");
    REQUIRE(client.receive(6) == " world");
}

TEST_CASE("ready queue: a descriptor is queued no longer when its turn begins", "[promise]") {
    ReadyQueue queue;
    queue.make_room(5);
    queue.add(5);
    REQUIRE(queue.timeout_ms() == 0);
    queue.begin_round();
    REQUIRE(queue.next() == 5);
    // Whatever comes of the turn, the queue knows nothing of 5 now: it can be queued again.
    REQUIRE(queue.timeout_ms() == -1);
    queue.add(5);
    queue.begin_round();
    REQUIRE(queue.next() == 5);
    REQUIRE(queue.next() == std::nullopt);
}

TEST_CASE("ready queue: a descriptor that is queued is not queued twice", "[promise]") {
    ReadyQueue queue;
    queue.make_room(5);
    queue.wait(5, Next::turn);
    queue.add(5);
    queue.wait(5, Next::pause);
    queue.begin_round();
    REQUIRE(queue.next() == 5);
    REQUIRE(queue.next() == std::nullopt);
    REQUIRE(queue.timeout_ms() == -1);
}

TEST_CASE("ready queue: in one descriptor's turn another one can be waited for", "[promise]") {
    ReadyQueue queue;
    queue.make_room(6);
    queue.add(4);
    queue.add(5);
    queue.begin_round();
    REQUIRE(queue.next() == 4);
    queue.wait(5, Next::turn);   // It has its turn in this round anyway.
    queue.wait(6, Next::event);  // Only an event brings one.
    REQUIRE(queue.next() == 5);
    REQUIRE(queue.next() == std::nullopt);
    REQUIRE(queue.timeout_ms() == -1);
    queue.wait(6, Next::pause);
    REQUIRE(queue.timeout_ms() == 100);
}

TEST_CASE("a client costs two allocations, its frame and its place in the table, and cost four",
          "[promise]") {
    require_failing_allocations();
    REQUIRE(allocations_for_a_client(chapter_before()) == 4);
    REQUIRE(allocations_for_a_client(chapter_under_test()) == 2);
}

TEST_CASE("when the listener is broken the server says so, and closes each client before it exits",
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
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::StartsWith("error: accept: Invalid argument\n"));
    for (const std::string& call : closing) {
        REQUIRE_THAT(strace.diagnostics(), Catch::Matchers::ContainsSubstring(call));
    }
    REQUIRE(silent.receive_to_end().empty());
    REQUIRE(another.receive_to_end().empty());
}

TEST_CASE("watched descriptor: an event that comes while nobody waits for it is not kept",
          "[limit]") {
    std::string noted;
    Reactor reactor;
    Pair one;
    Pair two;
    const WatchedFd another(reactor, std::move(two.ours));  // So its first event comes first.
    const WatchedFd first(reactor, std::move(one.ours));
    wait_for_one_then_another(first, another, noted);
    reactor.run_once();
    REQUIRE(noted == "one ");
    say(one.theirs, "for a round more");
    reactor.run_once();
    REQUIRE(noted == "one ");  // There is room to send in the other one, and it still waits.
    say(two.theirs, "late");
    reactor.run_once();
    REQUIRE(noted == "one another ");
}

// A caller learns neither of its end nor of its exception: a Coroutine cannot be awaited.
TEST_CASE("coroutine: the one who calls another goes on when that one waits, not when it has ended",
          "[limit]") {
    std::string noted;
    Reactor reactor;
    Pair pair;
    call_and_note(reactor, std::move(pair.ours), noted);
    REQUIRE(noted == "calls goes on ");
    say(pair.theirs, "the word");
    reactor.run_once();
    REQUIRE(noted == "calls goes on the word");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
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

TEST_CASE("memory is needed when a client comes, and not to pause when none can be had",
          "[promise]") {
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.limit(RLIMIT_NOFILE, static_cast<rlim_t>(newest_descriptor(server)) + 1);
    server.fail_allocation(1);
    Client waits(server);
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    REQUIRE(stays.exchange("still there?") == "still there?");
    REQUIRE(server.diagnostics() == "accept, trying again: Too many open files\n");
    server.fail_allocation(0);
    server.limit(RLIMIT_NOFILE, 64);
    REQUIRE(waits.exchange("hello") == "hello");
}

namespace {

/// Waits for an event, for ever.
Coroutine wait_for_ever(const WatchedFd& watched, int& events) {
    const Counted local;
    while (true) {
        co_await watched.event();
        ++events;
    }
}

/// In its own turn it destroys another descriptor.
Coroutine destroy_another(const WatchedFd& own, std::unique_ptr<WatchedFd>& another) {
    co_await own.event();
    another.reset();
}

}  // namespace

TEST_CASE("watched descriptor: one that is destroyed in a turn of another one has no turn any more",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    int events = 0;
    Reactor reactor;
    Pair one;
    Pair two;
    const WatchedFd first(reactor, std::move(one.ours));  // So its first event comes first.
    auto second = std::make_unique<WatchedFd>(reactor, std::move(two.ours));
    destroy_another(first, second);
    wait_for_ever(*second, events);
    reactor.run_once();  // Both are ready.
    REQUIRE(events == 0);
    REQUIRE(Counted::alive == 0);
}
