// Chapter 32: what the kernel works on stays until the kernel has let go of it.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

using Catch::Matchers::ContainsSubstring;

namespace {

/// A connection with both ends in the test. Ours is full: what is sent on it has to wait.
class FullConnection {
public:
    FullConnection() {
        std::array<int, 2> ends{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()),
              "socketpair");
        ours = Fd{ends[0]};
        theirs = Fd{ends[1]};
        const std::string filler(4096, '.');
        ssize_t count = 0;
        while ((count = ::send(ours.get(), filler.data(), filler.size(), MSG_NOSIGNAL)) > 0) {
            filled += static_cast<std::size_t>(count);
        }
    }

    /// Takes all that has come, without what had filled it.
    std::string take() {
        std::string text;
        std::array<char, 4096> page{};
        ssize_t count = 0;
        while ((count = ::read(theirs.get(), page.data(), page.size())) > 0) {
            text.append(page.data(), static_cast<std::size_t>(count));
        }
        const std::size_t filler = std::min(filled, text.size());
        filled -= filler;
        return text.substr(filler);
    }

    Fd ours;
    Fd theirs;
    std::size_t filled = 0;
};

/// A coroutine that begins at once, and whose frame is destroyed with this object, wherever it is
/// suspended.
class Fragile {
public:
    struct promise_type {
        Fragile get_return_object() {
            return Fragile(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_always final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept { std::terminate(); }
    };

    Fragile(Fragile&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Fragile& operator=(Fragile&&) = delete;
    ~Fragile() {
        if (frame_) {
            frame_.destroy();
        }
    }

    bool has_ended() const { return frame_.done(); }

private:
    explicit Fragile(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

Fragile send_letter(const Socket& socket, std::span<const char> letter) {
    co_await socket.send(letter);
}

Task<> sleep_and_send(Reactor& reactor, const Socket& socket, std::span<const char> letter,
                      int rounds) {
    for (int i = 0; i < rounds; ++i) {
        co_await reactor.sleep_for(std::chrono::milliseconds{0});
    }
    if (!letter.empty()) {
        co_await socket.send(letter);
    }
}

Task<> own_and_send(Reactor& reactor, Fd fd, std::span<const char> letter) {
    const Socket socket(reactor, std::move(fd));
    co_await socket.send(letter);
}

/// Some turns, in which all that stands in line is handed over, and completions are taken.
void run_a_few_turns(Reactor& reactor, const Socket& socket) {
    reactor.start(sleep_and_send(reactor, socket, {}, 3));
    reactor.run();
}

#ifdef __SANITIZE_ADDRESS__
bool is_poisoned(const std::string& letter) {
    return __asan_region_is_poisoned(const_cast<char*>(letter.data()), letter.size()) != nullptr;
}
#endif

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

}  // namespace

// Before, the kernel sent what stood in the memory later on: "other".
TEST_CASE("let go: nothing is sent of memory that has become another's", "[why]") {
    require_io_uring();
    FullConnection connection;
    Reactor reactor;
    const Socket socket(reactor, std::move(connection.ours));
    std::string memory = "first";
    std::optional<Fragile> coroutine = send_letter(socket, memory);
    run_a_few_turns(reactor, socket);
    REQUIRE_FALSE(coroutine->has_ended());  // The kernel waits for room.

    coroutine.reset();
    memory = "other";
    REQUIRE(connection.take().empty());  // Now there is room.
    run_a_few_turns(reactor, socket);
    REQUIRE(connection.take().empty());
}

TEST_CASE("server.cpp and task.hpp are the same to the byte as before", "[promise]") {
    for (const std::string name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("let go: a send that the kernel has done by then is done, whole and once", "[promise]") {
    require_io_uring();
    FullConnection connection;
    Reactor reactor;
    const Socket socket(reactor, std::move(connection.ours));
    std::string memory = "first";
    std::optional<Fragile> coroutine = send_letter(socket, memory);
    run_a_few_turns(reactor, socket);
    std::string sent = connection.take();  // There is room: the kernel may send now.
    coroutine.reset();                     // The result and the request to cancel cross.
    memory = "other";
    run_a_few_turns(reactor, socket);
    sent += connection.take();
    REQUIRE((sent.empty() || sent == "first"));
}

TEST_CASE("let go: what stands in line and has not been handed over leaves the line", "[promise]") {
    require_io_uring();
    FullConnection connection;
    Reactor reactor;
    const Socket socket(reactor, std::move(connection.ours));
    connection.take();
    std::string memory = "first";
    {
        const Fragile coroutine = send_letter(socket, memory);
        const Fragile another = send_letter(socket, memory);
    }
    memory = "other";
    run_a_few_turns(reactor, socket);
    REQUIRE(connection.take().empty());
}

TEST_CASE("let go: others that are completed meanwhile have their turn", "[promise]") {
    require_io_uring();
    FullConnection full;
    FullConnection free;
    Reactor reactor;
    const Socket waits(reactor, std::move(full.ours));
    const Socket sends(reactor, std::move(free.ours));
    const std::string letter = "hello";
    std::optional<Fragile> destroyed = send_letter(waits, letter);
    const Fragile stays = send_letter(sends, letter);
    run_a_few_turns(reactor, waits);
    REQUIRE_FALSE(stays.has_ended());
    std::string sent = free.take();  // The kernel completes this one ...
    destroyed.reset();               // ... and it is found by whoever waits for the other.
    run_a_few_turns(reactor, waits);
    REQUIRE(stays.has_ended());
    sent += free.take();
    REQUIRE(sent == letter);
}

TEST_CASE("let go: more coroutines than a ring has entries are destroyed in their sends",
          "[promise]") {
    require_io_uring();
    constexpr std::size_t count = 600;
    FullConnection connection;
    Reactor reactor;
    const Socket socket(reactor, std::move(connection.ours));
    std::string memory = "first";
    {
        std::vector<Fragile> coroutines;
        for (std::size_t i = 0; i < count; ++i) {
            coroutines.push_back(send_letter(socket, memory));
        }
        run_a_few_turns(reactor, socket);
    }
    memory = "other";
    connection.take();
    run_a_few_turns(reactor, socket);
    REQUIRE(connection.take().empty());
}

TEST_CASE("let go: the loop ends before the coroutines that it has handed over", "[promise]") {
    require_io_uring();
    std::vector<FullConnection> connections(10);
    const std::string letter = "hello";
    {
        Reactor reactor;
        for (FullConnection& connection : connections) {
            reactor.start(own_and_send(reactor, std::move(connection.ours), letter));
        }
        reactor.start([](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{0});
            throw std::runtime_error("enough");
        }(reactor));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    for (FullConnection& connection : connections) {
        REQUIRE(connection.take().empty());
        char byte = 0;
        REQUIRE(::read(connection.theirs.get(), &byte, 1) == 0);  // Our end is closed.
    }
}

TEST_CASE("let go: memory in flight is poisoned, and no longer", "[promise]") {
#ifdef __SANITIZE_ADDRESS__
    require_io_uring();
    FullConnection connection;
    Reactor reactor;
    const Socket socket(reactor, std::move(connection.ours));
    const auto memory = std::make_unique<std::string>(100, 'x');
    std::optional<Fragile> coroutine = send_letter(socket, *memory);
    REQUIRE_FALSE(is_poisoned(*memory));
    run_a_few_turns(reactor, socket);
    REQUIRE(is_poisoned(*memory));
    coroutine.reset();
    REQUIRE_FALSE(is_poisoned(*memory));

    const Fragile another = send_letter(socket, *memory);
    run_a_few_turns(reactor, socket);
    REQUIRE(is_poisoned(*memory));
    connection.take();
    run_a_few_turns(reactor, socket);
    REQUIRE(another.has_ended());
    REQUIRE_FALSE(is_poisoned(*memory));
#else
    SKIP("only the address sanitizer can tell: ./learn test 30 --preset asan");
#endif
}

TEST_CASE("when the listener is broken while sends are in flight, the server says so and ends",
          "[promise]") {
    require_io_uring();
    require_strace();
    Server server;
    std::vector<Client> clients;
    for (unsigned i = 0; i < 3; ++i) {
        clients.emplace_back(server);
        send_until_server_is_held_back(clients.back(), i);
    }
    const FaultInjection broken(server, "accept4:error=EBADF");
    server.stop_all();  // So that the connection is there before the server ends.
    const Client next(server);
    server.continue_all();
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring("error: accept: Bad file descriptor\n"));
}

TEST_CASE("a kernel that takes nothing any more ends the server, which says why", "[promise]") {
    require_io_uring();
    require_strace();
    const bool is_in_flight = GENERATE(false, true);
    CAPTURE(is_in_flight);
    Server server;
    Client held_back(server);
    if (is_in_flight) {
        send_until_server_is_held_back(held_back);
    }
    const FaultInjection broken(server, "io_uring_enter:error=EBADF");
    Client client(server);
    client.send("hello");
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: io_uring_enter: Bad file descriptor\n");
}

TEST_CASE("a newcomer costs a call that finds nobody", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "accept4");
    const Client client(server);
    wait_until("the server has accepted the client", [&] { return server.count_clients() == 1; });
    wait_until_at_rest(server);
    REQUIRE(trace.count("accept4") == 2);
}
