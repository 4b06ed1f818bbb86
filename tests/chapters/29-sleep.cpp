// Chapter 29: the loop has a clock, and a coroutine can sleep.

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::StartsWith;
using std::chrono::milliseconds;

namespace {

using Clock = std::chrono::steady_clock;

std::optional<int> first_time_out;  // of epoll_wait(), since it was reset
std::atomic<int> allocations = 0;

}  // namespace

// In the place of the C library's: so the reactors of these tests are heard as they call it.
int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
    first_time_out = first_time_out.value_or(timeout);
    return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, count, timeout, nullptr, 0));
}

// Not inlined: g++ would take free() for a mistake where it sees both.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

/// What a coroutine throws to end run() with the others still asleep.
struct Enough {};

Task<> note_after(Reactor& reactor, milliseconds time, std::string name, std::string& noted) {
    const Counted local;
    co_await reactor.sleep_for(time);
    noted += name;
}

Task<> end_after(Reactor& reactor, milliseconds time) {
    co_await reactor.sleep_for(time);
    throw Enough();
}

/// Ends the loop in its first round: there is something to read from the beginning.
Task<> end_with_a_byte(Reactor& reactor, Pair pair) {
    const Socket socket(reactor, std::move(pair.ours));
    say(pair.theirs, "x");
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    throw Enough();
}

Task<> note_three_times(Reactor& reactor, milliseconds time, std::string name, std::string& noted) {
    for (int i = 0; i < 3; ++i) {
        noted += name;
        co_await reactor.sleep_for(time);
    }
}

/// Sleeps again and again, each time for no time, until it is told to stop, or gives up.
Task<> sleep_until_told(Reactor& reactor, const bool& is_told, int& rounds) {
    while (!is_told && rounds < 100'000) {
        ++rounds;
        co_await reactor.sleep_for(0ms);
    }
}

Task<> tell_after_a_byte(Reactor& reactor, Pair pair, bool& is_told) {
    const Socket socket(reactor, std::move(pair.ours));
    say(pair.theirs, "x");
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    is_told = true;
}

Task<> tell_after(Reactor& reactor, milliseconds time, bool& is_told) {
    co_await reactor.sleep_for(time);
    is_told = true;
}

/// Sends itself bytes, as long as nobody tells it to stop: there is never anything to wait for.
Task<> be_busy_until_told(Reactor& reactor, Pair pair, const bool& is_told, bool& has_given_up) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    for (int i = 0; i < 1'000'000; ++i) {
        if (is_told) {
            co_return;
        }
        say(pair.theirs, "x");
        co_await socket.read(byte);
    }
    has_given_up = true;
}

/// In a turn that begins with a waking up it takes all its steps, and counts those of the next one.
Task<> count_steps_after_a_sleep(Reactor& reactor, int& steps) {
    co_await reactor.sleep_for(0ms);
    while (reactor.spend_step()) {
    }
    co_await reactor.sleep_for(0ms);
    while (reactor.spend_step()) {
        ++steps;
    }
}

Task<> count_allocations_of_a_sleep(Reactor& reactor, int& count) {
    const int before = allocations;
    co_await reactor.sleep_for(1ms);
    count = allocations - before;
}

/// A visit of which one half is sleep.
Task<> wait_and_sleep(Reactor& reactor, Fd fd, bool is_to_sleep) {
    const Counted local;
    const Socket socket(reactor, std::move(fd));
    if (is_to_sleep) {
        std::string noted;
        co_await note_after(reactor, 1h, "never", noted);
    }
    std::array<char, 1> byte{};
    co_await socket.read(byte);
}

/// Accepts nobody: it sleeps for a moment, and finds that the listener is broken.
Task<> accept_with_a_broken_listener(Reactor& reactor) {
    const Counted local;
    co_await reactor.sleep_for(1ms);
    throw failed_call(EBADF, "accept");
}

/// The names, in the order in which they woke up, of sleepers that sleep as long as is said. On a
/// machine that halts between two of them, all are begun once more.
std::string order_of(const std::vector<std::pair<std::string, milliseconds>>& sleepers) {
    while (true) {
        std::string noted;
        Reactor reactor;
        const Clock::time_point begin = Clock::now();
        for (const auto& [name, time] : sleepers) {
            reactor.start(note_after(reactor, time, name, noted));
        }
        if (Clock::now() - begin < 10ms) {
            reactor.run();
            return noted;
        }
    }
}

/// The time-out of the first epoll_wait(), where these sleep.
milliseconds time_out_beside(const std::vector<milliseconds>& sleepers) {
    std::string noted;
    Reactor reactor;
    for (const milliseconds time : sleepers) {
        reactor.start(note_after(reactor, time, "woken", noted));
    }
    reactor.start(end_with_a_byte(reactor, Pair()));
    first_time_out.reset();
    REQUIRE_THROWS_AS(reactor.run(), Enough);
    return milliseconds{first_time_out.value()};
}

/// How often accept4() was called, and how many pauses of 100 ms would have had room in that time.
struct Accepts {
    std::size_t calls;
    std::size_t room;
};

/// There is no descriptor for a client that waits. Meanwhile another one has a hundred echoes.
Accepts accepts_beside_a_busy_client(const Chapter& chapter) {
    const Server server(chapter);
    Client busy(server);
    REQUIRE(busy.exchange("hello") == "hello");
    const FaultInjection shortage(server, "accept4:error=EMFILE");
    const Clock::time_point begin = Clock::now();
    const Client waits(server);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(busy.exchange("hello") == "hello");
    }
    const std::size_t calls = shortage.count();
    return {calls, static_cast<std::size_t>((Clock::now() - begin) / 100ms)};
}

/// The calls of five pauses, from one accept4() to the sixth. The one client has taken the last
/// descriptor, and so accept4() fails, whether another client waits or not.
std::vector<std::string> calls_of_five_pauses() {
    const Server server(with_descriptors_for(1));
    const SystemCallTrace trace(server, "all");  // Before the server wakes up ten times a second.
    const Client client(server);
    // One takes the client, and in the first pause epoll tells that one can send to it.
    wait_until("accept4() has failed seven times", [&] { return trace.count("accept4") >= 8; });
    std::vector<std::string> calls;
    int accepts = 0;
    for (const std::string& call : trace.lines()) {
        accepts += call.starts_with("accept4(") ? 1 : 0;
        if (accepts >= 3 && accepts < 8) {
            calls.push_back(call);
        }
    }
    return calls;
}

/// Whether the call is one in which a thread sleeps.
bool is_sleep(const std::string& call) {
    return call.starts_with("epoll_") || call.starts_with("poll") || call.starts_with("ppoll") ||
           call.starts_with("select") || call.starts_with("pselect") ||
           call.starts_with("nanosleep") || call.starts_with("clock_nanosleep");
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before it had a clock",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, a pause ended with whatever happened: each round asked again. The number of pauses that
// have room is counted by the time that has passed, so it grows with a machine that is slow.
TEST_CASE("in a shortage accept() is asked again when the time is over, however busy others are",
          "[why]") {
    require_strace();
    const Accepts before = accepts_beside_a_busy_client(chapter_before());
    CAPTURE(before.calls, before.room);
    REQUIRE(before.calls >= 50);
    const Accepts now = accepts_beside_a_busy_client(chapter_under_test());
    CAPTURE(now.calls, now.room);
    REQUIRE(now.calls >= 1);
    REQUIRE(now.calls <= now.room + 1);
}

TEST_CASE("sleep: the coroutine whose time comes first is woken first", "[promise]") {
    REQUIRE(order_of({{"a", 60ms}, {"b", 20ms}, {"c", 40ms}}) == "bca");
    REQUIRE(order_of({{"a", 20ms}, {"b", 60ms}, {"c", 40ms}}) == "acb");
    REQUIRE(order_of({{"a", 20ms}, {"b", 20ms}, {"c", 0ms}, {"d", 20ms}}) == "cabd");
}

TEST_CASE("sleep: coroutines that sleep for no time have their turns one after another",
          "[promise]") {
    std::string noted;
    Reactor reactor;
    reactor.start(note_three_times(reactor, 0ms, "a", noted));
    reactor.start(note_three_times(reactor, 0ms, "b", noted));
    reactor.start(note_three_times(reactor, -1h, "c", noted));
    reactor.run();
    REQUIRE(noted == "abcabcabc");
}

TEST_CASE("sleep: it takes its time", "[promise]") {
    std::string noted;
    Reactor reactor;
    const Clock::time_point begin = Clock::now();
    reactor.start(note_after(reactor, 20ms, "woken", noted));
    REQUIRE(noted.empty());
    reactor.run();
    REQUIRE(noted == "woken");
    REQUIRE(Clock::now() - begin >= 20ms);
}

TEST_CASE("sleep: a time that the clock cannot count is not over at once", "[promise]") {
    for (const milliseconds time :
         {milliseconds{std::chrono::years{300}}, milliseconds::max() - 1ms, milliseconds::max()}) {
        std::string noted;
        Reactor reactor;
        reactor.start(note_after(reactor, time, "woken", noted));
        reactor.start(end_after(reactor, 5ms));
        REQUIRE_THROWS_AS(reactor.run(), Enough);
        REQUIRE(noted.empty());
    }
    REQUIRE(order_of({{"least", milliseconds::min()}, {"none", 0ms}}) == "leastnone");
}

TEST_CASE("sleep: epoll_wait() sleeps until the first one's time, as long as an int can say",
          "[promise]") {
    REQUIRE(time_out_beside({}) == -1ms);
    const milliseconds of_three = time_out_beside({2h, 1h, 3h});
    REQUIRE(of_three <= 1h);
    REQUIRE(of_three > 30min);
    REQUIRE(time_out_beside({0ms}) == 0ms);
    REQUIRE(time_out_beside({-1h}) == 0ms);
    const milliseconds longest{std::numeric_limits<int>::max()};
    REQUIRE(time_out_beside({longest + 24h}) == longest);
    REQUIRE(time_out_beside({milliseconds{1LL << 32}}) == longest);
    REQUIRE(time_out_beside({milliseconds::max()}) == longest);
}

TEST_CASE("sleep: a coroutine that sleeps for no time again and again keeps no descriptor waiting",
          "[promise]") {
    bool is_told = false;
    int rounds = 0;
    Reactor reactor;
    reactor.start(sleep_until_told(reactor, is_told, rounds));
    reactor.start(tell_after_a_byte(reactor, Pair(), is_told));
    reactor.run();
    REQUIRE(rounds <= 3);
}

TEST_CASE("sleep: descriptors that are always ready keep no coroutine asleep", "[promise]") {
    bool is_told = false;
    bool has_given_up = false;
    Reactor reactor;
    reactor.start(tell_after(reactor, 20ms, is_told));
    reactor.start(be_busy_until_told(reactor, Pair(), is_told, has_given_up));
    reactor.run();
    REQUIRE(is_told);
    REQUIRE_FALSE(has_given_up);
}

TEST_CASE("sleep: a coroutine that wakes up has a whole turn", "[promise]") {
    int steps = 0;
    Reactor reactor;
    reactor.start(count_steps_after_a_sleep(reactor, steps));
    reactor.run();
    REQUIRE(steps == 7);  // The eighth is the one at which the others have their turn.
}

TEST_CASE("sleep: it needs no memory", "[promise]") {
    int count = -1;
    Reactor reactor;
    reactor.start(count_allocations_of_a_sleep(reactor, count));
    reactor.run();
    REQUIRE(count == 0);
}

TEST_CASE("sleep: with the reactor the coroutines end that are asleep, in any order", "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    {
        Reactor reactor;
        for (const milliseconds time : {3h, 1h, 2h}) {
            reactor.start(note_after(reactor, time, "woken", noted));
        }
        reactor.start(note_after(reactor, milliseconds::max(), "woken", noted));
        reactor.start(end_after(reactor, 1ms));
        REQUIRE(Counted::alive == 4);
        REQUIRE_THROWS_AS(reactor.run(), Enough);
        REQUIRE(Counted::alive == 4);  // They are asleep still, and a second run() has them.
        reactor.start(end_after(reactor, 1ms));
        REQUIRE_THROWS_AS(reactor.run(), Enough);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(noted.empty());
}

TEST_CASE("sleep: when the listener breaks, twenty clients end, those that are asleep too",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::vector<Fd> theirs;
    {
        Reactor reactor;
        for (int i = 0; i < 20; ++i) {
            Pair pair;
            reactor.start(wait_and_sleep(reactor, std::move(pair.ours), i % 2 == 0));
            theirs.push_back(std::move(pair.theirs));
        }
        reactor.start(accept_with_a_broken_listener(reactor));
        REQUIRE(Counted::alive == 31);  // Ten clients have a second frame, which sleeps.
        REQUIRE_THROWS_AS(reactor.run(), std::system_error);
    }
    REQUIRE(Counted::alive == 0);
    for (const Fd& fd : theirs) {
        char byte = 0;
        REQUIRE(::read(fd.get(), &byte, 1) == 0);  // The other end is closed.
    }
}

TEST_CASE("a pause is one epoll_wait(), which ends when the time is over, and not before",
          "[promise]") {
    require_strace();
    const std::vector<std::string> calls = calls_of_five_pauses();
    std::size_t waits = 0;
    for (const std::string& call : calls) {
        CAPTURE(call);
        if (call.starts_with("epoll_wait(")) {
            ++waits;
            REQUIRE(call.ends_with(" = 0"));
        }
    }
    REQUIRE(waits == 5);
}

TEST_CASE("while the listener is asleep, the thread sleeps in epoll_wait(), and nowhere else",
          "[promise]") {
    require_strace();
    for (const std::string& call : calls_of_five_pauses()) {
        CAPTURE(call);
        REQUIRE((!is_sleep(call) || call.starts_with("epoll_wait(")));
    }
}

TEST_CASE("a time that is over before the thread falls asleep is not slept through", "[promise]") {
    require_strace();
    const Server server(with_descriptors_for(1));
    const FaultInjection slow(server, "read:delay_enter=250000");  // microseconds
    Client client(server);
    wait_until("the server has no descriptor left", [&] { return !server.diagnostics().empty(); });
    Client waits(server);
    // While this is read, the listener's time comes and goes.
    REQUIRE(client.exchange("hello") == "hello");
    server.limit(RLIMIT_NOFILE, 64);  // No event tells of that.
    REQUIRE(waits.exchange("hello") == "hello");
}

TEST_CASE("a descriptor that has become free does not wake the listener", "[limit]") {
    require_strace();
    const Server server(with_descriptors_for(1));
    const SystemCallTrace trace(server, "accept4,epoll_wait,close");
    Client client(server);
    wait_until("the server has no descriptor left", [&] { return !server.diagnostics().empty(); });
    Client waits(server);
    client.close();
    REQUIRE(waits.exchange("hello") == "hello");
    const std::vector<std::string> calls = trace.lines();
    const auto closed = std::find_if(calls.begin(), calls.end(), [](const std::string& call) {
        return call.starts_with("close(");
    });
    REQUIRE(closed != calls.end());
    const auto accepted = std::find_if(
        closed, calls.end(), [](const std::string& call) { return call.starts_with("accept4("); });
    REQUIRE(accepted != calls.end());
    REQUIRE_THAT(*(accepted - 1), StartsWith("epoll_wait("));
    REQUIRE((accepted - 1)->ends_with(" = 0"));  // The time was over.
}

TEST_CASE("an echo costs three system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read and sendto.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 30 || calls == 29));
}

TEST_CASE("fifty clients at once cost two system calls and more for each echo", "[limit]") {
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "two and more for each echo");
}

namespace {

/// In its own turn it destroys another socket.
Task<> destroy_another(const Socket& own, std::unique_ptr<Socket>& another) {
    std::array<char, 1> byte{};
    co_await own.read(byte);
    another.reset();
}

}  // namespace

TEST_CASE("a socket that is destroyed in a turn of another one has no turn any more", "[promise]") {
    Reactor reactor;
    Pair one;
    Pair two;
    const Socket first(reactor, std::move(one.ours));  // So its first event comes first.
    auto second = std::make_unique<Socket>(reactor, std::move(two.ours));
    say(one.theirs, "x");
    reactor.start(destroy_another(first, second));
    reactor.run();  // Both are ready, and have a place in the round.
    REQUIRE(second == nullptr);
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
