// Chapter 34: the thread sleeps in the ring.

#include <dlfcn.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "address.hpp"
#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "listener.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::StartsWith;
using std::chrono::milliseconds;

namespace {

using Clock = std::chrono::steady_clock;

/// The calls of the library that this program's rings have made.
struct Heard {
    int only_submits = 0;       // what is in line goes to the kernel, and the thread goes on
    int waits_for_ever = 0;     // and it sleeps until something is completed
    int waits_with_a_time = 0;  // and it sleeps no longer than this
    std::optional<Clock::duration> first_time;
};

Heard heard;
std::atomic<int> allocations = 0;

template <typename Function>
Function* the_librarys(Function*, const char* name) {
    auto* const found = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
    REQUIRE(found != nullptr);
    return found;
}

}  // namespace

// In the place of the library's: so the rings of these tests are heard as they call it.
int io_uring_submit(io_uring* ring) {
    static auto* const original = the_librarys(&io_uring_submit, "io_uring_submit");
    ++heard.only_submits;
    return original(ring);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
    static auto* const original =
        the_librarys(&io_uring_submit_and_wait, "io_uring_submit_and_wait");
    ++heard.waits_for_ever;
    return original(ring, count);
}

int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** completion, unsigned count,
                                     __kernel_timespec* time, sigset_t* signals) {
    static auto* const original =
        the_librarys(&io_uring_submit_and_wait_timeout, "io_uring_submit_and_wait_timeout");
    ++heard.waits_with_a_time;
    if (!heard.first_time) {
        heard.first_time =
            std::chrono::seconds{time->tv_sec} + std::chrono::nanoseconds{time->tv_nsec};
    }
    return original(ring, completion, count, time, signals);
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

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Without its first line, which names the chapter.
std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

/// What a coroutine throws to end run() with the others still suspended.
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

Task<> tell_after(Reactor& reactor, milliseconds time, bool& is_told) {
    co_await reactor.sleep_for(time);
    is_told = true;
}

Task<> tell_after_a_byte(Reactor& reactor, Fd fd, bool& is_told) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    is_told = true;
}

Task<> say_after(Reactor& reactor, int rounds, const Fd& to) {
    for (int i = 0; i < rounds; ++i) {
        co_await reactor.sleep_for(0ms);
    }
    say(to, "x");
}

/// Sends itself bytes, as long as it is not told to stop: there is never anything to wait for.
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

Task<> count_allocations_of_a_sleep(Reactor& reactor, int& count) {
    const int before = allocations;
    co_await reactor.sleep_for(1ms);
    count = allocations - before;
}

Task<> read_a_byte(Reactor& reactor, Fd fd, std::size_t& count) {
    const Counted local;
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    count += co_await socket.read(byte);
}

/// A client is accepted, and has its bytes back.
Task<> serve_one(Reactor& reactor, const Acceptor& acceptor, std::string& noted) {
    Address address;
    const int fd = co_await acceptor.accept(address);
    REQUIRE(fd >= 0);
    const Socket socket(reactor, Fd{fd});
    std::array<char, 16> buffer{};
    const std::size_t received = co_await socket.read(buffer);
    noted.assign(buffer.data(), received);
    const std::size_t sent = co_await socket.send(std::span(buffer).first(received));
    REQUIRE(sent == received);
    const std::size_t end = co_await socket.read(buffer);
    REQUIRE(end == 0);
}

Task<> send_until_it_fails(Reactor& reactor, Fd fd, std::string& words) {
    const Socket socket(reactor, std::move(fd));
    try {
        co_await socket.send(std::span("x", 1));
    } catch (const std::system_error& error) {
        words = error.what();
    }
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

/// What the library is asked for in the first round, where these sleep.
Heard first_round_beside(const std::vector<milliseconds>& sleepers) {
    std::string noted;
    Reactor reactor;
    for (const milliseconds time : sleepers) {
        reactor.start(note_after(reactor, time, "woken", noted));
    }
    reactor.start(end_with_a_byte(reactor, Pair()));
    heard = {};
    REQUIRE_THROWS_AS(reactor.run(), Enough);
    return std::exchange(heard, {});
}

/// How strace starts the server, one of whose calls is to fail.
StartSettings traced(const std::string& fault) {
    const std::string call = fault.substr(0, fault.find(':'));
    return {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                          "inject=" + fault, chapter_under_test().server, "--port", "0"}};
}

/// The calls of five pauses, from one pause's end to that of the fifth one behind it. The one
/// client has taken the last descriptor, and so accept fails, whether another one waits or not.
std::vector<std::string> calls_of_five_pauses() {
    const Server server(with_descriptors_for(1));
    const SystemCallTrace trace(server, "all");
    const Client client(server);
    const auto ends_a_pause = [](const std::string& call) {
        return call.find(" = -1 ETIME ") != std::string::npos;
    };
    wait_until("six pauses are over", [&] {
        const std::vector<std::string> calls = trace.lines();
        return std::count_if(calls.begin(), calls.end(), ends_a_pause) >= 6;
    });
    std::vector<std::string> calls;
    int pauses = 0;
    for (const std::string& call : trace.lines()) {
        if (pauses >= 1 && pauses < 6) {
            calls.push_back(call);
        }
        pauses += ends_a_pause(call) ? 1 : 0;
    }
    return calls;
}

}  // namespace

TEST_CASE("before, a round was two system calls, and now it is one", "[why]") {
    require_io_uring();
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 30 || before == 29));  // epoll_wait, io_uring_enter, io_uring_enter
    REQUIRE((now == 20 || now == 19));
}

TEST_CASE("a visit is calls of io_uring_enter and one close", "[promise]") {
    require_io_uring();
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "all");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
    wait_until_at_rest(server);
    std::size_t closes = 0;
    for (const std::string& call : trace.lines()) {
        CAPTURE(call);
        closes += call.starts_with("close(") ? 1 : 0;
        // A buffer is memory, and that may have to be asked for.
        REQUIRE((call.starts_with("io_uring_enter(") || call.starts_with("close(") ||
                 call.starts_with("brk(") || call.starts_with("mmap(") ||
                 call.starts_with("munmap(") || call.starts_with("madvise(")));
    }
    REQUIRE(closes == 1);
}

TEST_CASE("the server and the task are the same to the byte as with epoll", "[promise]") {
    for (const char* name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("ring: what stands in line is handed over with the call in which the thread sleeps",
          "[promise]") {
    require_io_uring();
    std::size_t count = 0;
    Reactor reactor;
    std::vector<Pair> pairs(300);  // The submission queue has 256 places.
    for (Pair& pair : pairs) {
        reactor.start(read_a_byte(reactor, std::move(pair.ours), count));
        say(pair.theirs, "x");
    }
    heard = {};
    reactor.run();
    REQUIRE(count == 300);
    REQUIRE(heard.only_submits == 1);    // 256 of them
    REQUIRE(heard.waits_for_ever == 1);  // 44, and what has been completed
    REQUIRE(heard.waits_with_a_time == 0);
}

TEST_CASE("ring: the thread sleeps until the first one's time, a day at the most", "[promise]") {
    require_io_uring();
    const Heard without = first_round_beside({});
    REQUIRE(without.waits_for_ever == 1);
    REQUIRE_FALSE(without.first_time);
    const Heard of_three = first_round_beside({2h, 1h, 3h});
    REQUIRE(of_three.waits_for_ever == 0);
    REQUIRE(of_three.first_time.value() <= 1h);
    REQUIRE(of_three.first_time.value() > 30min);
    const Heard short_one = first_round_beside({milliseconds{59'999}});
    REQUIRE(short_one.first_time.value() <= milliseconds{59'999});
    REQUIRE(short_one.first_time.value() > 30s);
    for (const milliseconds time : {milliseconds{48h}, milliseconds::max()}) {
        REQUIRE(first_round_beside({time}).first_time.value() == 24h);
    }
    for (const milliseconds time : {0ms, milliseconds{-1h}}) {
        const Heard at_once = first_round_beside({time});
        REQUIRE(at_once.only_submits >= 1);
        REQUIRE_FALSE(at_once.first_time);
    }
}

TEST_CASE("ring: while a coroutine is to have a turn, the thread does not sleep", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair;
    // A waiter that the loop is given by hand, and no event would bring.
    class Turn : public Waiter {
    public:
        explicit Turn(Reactor& reactor) : reactor_(reactor) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> frame) noexcept {
            resume_later(frame);
            reactor_.give_turn(*this);
        }
        void await_resume() const noexcept {}

    private:
        Reactor& reactor_;
    };
    reactor.start([](Reactor& loop) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            co_await Turn(loop);
        }
        throw Enough();
    }(reactor));
    std::size_t count = 0;
    reactor.start(read_a_byte(reactor, std::move(pair.ours), count));
    heard = {};
    REQUIRE_THROWS_AS(reactor.run(), Enough);
    REQUIRE(heard.waits_for_ever == 0);
    REQUIRE(heard.waits_with_a_time == 0);
}

TEST_CASE("operation: accept, read and send bring what the calls would have returned",
          "[promise]") {
    require_io_uring();
    Fd listener = listen_on({.port = 0});
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    const Fd client{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    check(::connect(client.get(), address.get(), address.length), "connect");
    say(client, "hello");
    check(::shutdown(client.get(), SHUT_WR), "shutdown");
    std::string noted;
    Reactor reactor;
    const Acceptor acceptor(reactor, std::move(listener));
    reactor.start(serve_one(reactor, acceptor, noted));
    reactor.run();
    REQUIRE(noted == "hello");
    std::array<char, 16> echo{};
    REQUIRE(::read(client.get(), echo.data(), echo.size()) == 5);
}

TEST_CASE("operation: an error is an exception that names the call, and no signal", "[promise]") {
    require_io_uring();
    Pair pair;
    pair.theirs.close();
    std::string words;
    Reactor reactor;
    reactor.start(send_until_it_fails(reactor, std::move(pair.ours), words));
    reactor.run();
    REQUIRE(words == "send: Broken pipe");
}

TEST_CASE("sleep: the coroutine whose time comes first is woken first", "[promise]") {
    require_io_uring();
    REQUIRE(order_of({{"a", 60ms}, {"b", 20ms}, {"c", 40ms}}) == "bca");
    REQUIRE(order_of({{"a", 20ms}, {"b", 60ms}, {"c", 40ms}}) == "acb");
    REQUIRE(order_of({{"a", 20ms}, {"b", 20ms}, {"c", 0ms}, {"d", 20ms}}) == "cabd");
}

TEST_CASE("sleep: coroutines that sleep for no time have their turns one after another",
          "[promise]") {
    require_io_uring();
    std::string noted;
    Reactor reactor;
    reactor.start(note_three_times(reactor, 0ms, "a", noted));
    reactor.start(note_three_times(reactor, 0ms, "b", noted));
    reactor.start(note_three_times(reactor, -1h, "c", noted));
    reactor.run();
    REQUIRE(noted == "abcabcabc");
}

TEST_CASE("sleep: it takes its time", "[promise]") {
    require_io_uring();
    for (const milliseconds time : {20ms, 1020ms}) {
        std::string noted;
        Reactor reactor;
        const Clock::time_point begin = Clock::now();
        reactor.start(note_after(reactor, time, "woken", noted));
        REQUIRE(noted.empty());
        heard = {};
        reactor.run();
        REQUIRE(noted == "woken");
        REQUIRE(Clock::now() - begin >= time);
        REQUIRE(heard.waits_with_a_time == 1);
    }
}

TEST_CASE("sleep: a time that the clock cannot count is not over at once", "[promise]") {
    require_io_uring();
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

TEST_CASE("sleep: a coroutine that sleeps for no time again and again keeps no operation waiting",
          "[promise]") {
    require_io_uring();
    bool is_told = false;
    int rounds = 0;
    Pair pair;
    Reactor reactor;
    reactor.start(tell_after_a_byte(reactor, std::move(pair.ours), is_told));
    reactor.start(sleep_until_told(reactor, is_told, rounds));
    reactor.start(say_after(reactor, 100, pair.theirs));  // The read has waited in the kernel.
    reactor.run();
    REQUIRE(is_told);
    REQUIRE(rounds <= 110);
}

TEST_CASE("sleep: operations that are always done at once keep no coroutine asleep", "[promise]") {
    require_io_uring();
    bool is_told = false;
    bool has_given_up = false;
    Reactor reactor;
    reactor.start(tell_after(reactor, 20ms, is_told));
    reactor.start(be_busy_until_told(reactor, Pair(), is_told, has_given_up));
    reactor.run();
    REQUIRE(is_told);
    REQUIRE_FALSE(has_given_up);
}

TEST_CASE("sleep: it needs no memory", "[promise]") {
    require_io_uring();
    int count = -1;
    Reactor reactor;
    reactor.start(count_allocations_of_a_sleep(reactor, count));
    reactor.run();
    REQUIRE(count == 0);
}

TEST_CASE(
    "with the reactor the coroutines end, those that are asleep and those that the kernel "
    "works for",
    "[promise]") {
    require_io_uring();
    REQUIRE(Counted::alive == 0);
    std::string noted;
    std::size_t count = 0;
    std::vector<Pair> pairs(20);
    {
        Reactor reactor;
        for (Pair& pair : pairs) {
            reactor.start(read_a_byte(reactor, std::move(pair.ours), count));
        }
        for (const milliseconds time : {milliseconds{3h}, milliseconds{1h}, milliseconds::max()}) {
            reactor.start(note_after(reactor, time, "woken", noted));
        }
        reactor.start(end_after(reactor, 1ms));
        REQUIRE_THROWS_AS(reactor.run(), Enough);
        REQUIRE(Counted::alive == 23);  // They are suspended still, and a second run() has them.
        reactor.start(end_after(reactor, 1ms));
        REQUIRE_THROWS_AS(reactor.run(), Enough);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(noted.empty());
    REQUIRE(count == 0);
    for (const Pair& pair : pairs) {
        char byte = 0;
        REQUIRE(::read(pair.theirs.get(), &byte, 1) == 0);  // The other end is closed.
    }
}

TEST_CASE("a pause is one io_uring_enter(), which ends when the time is over, and not before",
          "[promise]") {
    require_io_uring();
    require_strace();
    const std::vector<std::string> calls = calls_of_five_pauses();
    std::size_t pauses = 0;
    std::size_t accepts = 0;
    for (const std::string& call : calls) {
        CAPTURE(call);
        REQUIRE(call.starts_with("io_uring_enter("));
        pauses += call.find(" = -1 ETIME ") != std::string::npos ? 1 : 0;
        accepts += call.ends_with(" = 1") ? 1 : 0;
    }
    REQUIRE(pauses == 5);
    REQUIRE(accepts == 5);  // Handed over, and refused in the same call.
    REQUIRE(calls.size() == 10);
}

TEST_CASE("what the kernel could not take, or a signal has cut short, is handed over again",
          "[promise]") {
    require_io_uring();
    require_strace();
    const std::string error = GENERATE("EAGAIN", "EBUSY", "EINTR");
    CAPTURE(error);
    const Server server;
    const FaultInjection in_vain(server, "io_uring_enter:error=" + error + ":when=1+2");
    Client client(server);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    REQUIRE(in_vain.count() >= 10);
}

TEST_CASE("when the kernel answers no more, the server says so and ends with 1", "[promise]") {
    require_io_uring();
    require_strace();
    // The first call brings a client, the second one its bytes, and the third hands over the send.
    Program server("strace", traced("io_uring_enter:error=EBADF:when=3+"));
    Client client(parse_ready_line(server.read_line()));
    client.send("hello");
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: io_uring_enter: Bad file descriptor\n");
}

TEST_CASE("an echo costs two system calls", "[limit]") {
    require_io_uring();
    require_strace();
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 20 || calls == 19));
}

TEST_CASE("where a ring is forbidden, the server says no more than the error's name", "[limit]") {
    require_strace();
    Program server("strace", traced("io_uring_setup:error=EPERM"));
    REQUIRE(server.read_to_end().empty());
    REQUIRE(server.wait_for_exit() == "exit 1");
    // The leak sanitizer adds that it cannot work under strace.
    REQUIRE_THAT(server.diagnostics(),
                 StartsWith("error: io_uring_setup: Operation not permitted\n"));
}
