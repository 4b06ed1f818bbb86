// Chapter 38: an operation in flight can be cancelled, and a result wins over the request.

#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "address.hpp"
#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/operation.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using namespace std::chrono_literals;

namespace {

/// While it lives, rings are made in one of the ways of ring_setup.hpp. Skips the test where this
/// kernel does not know it.
class RingsAreMadeWith {
public:
    explicit RingsAreMadeWith(unsigned flags) {
        ring_flags = flags;
        io_uring ring{};
        if (::io_uring_queue_init(1, &ring, flags) == -EINVAL) {
            ring_flags.reset();
            SKIP("this kernel does not know these flags: " << flags);
        }
        ::io_uring_queue_exit(&ring);
    }
    RingsAreMadeWith(const RingsAreMadeWith&) = delete;
    RingsAreMadeWith& operator=(const RingsAreMadeWith&) = delete;
    ~RingsAreMadeWith() { ring_flags.reset(); }
};

constexpr unsigned deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN;
constexpr unsigned plain = 0;

/// Leaves no room for one byte more on this end.
void fill(const Fd& fd) {
    const std::string filler(4096, '.');
    while (::send(fd.get(), filler.data(), filler.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
}

/// What has come, without waiting.
std::string take_all(const Fd& fd) {
    std::array<char, 4096> page{};
    std::string all;
    ssize_t count = 0;
    while ((count = ::recv(fd.get(), page.data(), page.size(), MSG_DONTWAIT)) > 0) {
        all.append(page.data(), static_cast<std::size_t>(count));
    }
    return all;
}

/// What a read, or a send, came to: the bytes, or the words of the error.
Task<> note_read(Socket& socket, std::string& noted) {
    std::array<char, 16> buffer{};
    try {
        const std::size_t count = co_await socket.read(buffer);
        noted += std::string(buffer.data(), count);
    } catch (const std::system_error& error) {
        noted += error.what();
    }
    noted += ";";
}

Task<> note_send(Socket& socket, std::string& noted) {
    try {
        const std::size_t count = co_await socket.send(std::span("hello", 5));
        noted += std::to_string(count);
    } catch (const std::system_error& error) {
        noted += error.what();
    }
    noted += ";";
}

Task<> note_accept(Acceptor& acceptor, std::vector<int>& results, std::vector<Fd>& clients) {
    Address address;
    const int result = co_await acceptor.accept(address);
    results.push_back(result);
    if (result >= 0) {
        clients.emplace_back(result);
    }
}

/// Cancels, and when the kernel has been asked makes what is waited for possible: so the
/// operation ends in any case, and a test need not wait for what does not come.
template <typename T>
Task<> cancel_and_help(Reactor& reactor, T& socket, std::function<void()> help) {
    co_await reactor.sleep_for(1ms);
    socket.cancel();
    co_await reactor.sleep_for(5ms);
    help();
}

/// Cancels when a byte has come on another connection.
template <typename T>
Task<> cancel_at_a_byte(Socket& bell, T& socket) {
    std::array<char, 1> byte{};
    co_await bell.read(byte);
    socket.cancel();
}

/// Moves a byte from a pipe to another one. A thread of the kernel's waits for it, so it is moved
/// while the loop looks elsewhere.
class MoveByte : public Operation {
public:
    MoveByte(Reactor& reactor, Slot& slot, const Fd& from, const Fd& to)
        : Operation(reactor, slot, from, {}), to_(to) {}

    int await_resume() const { return result(); }

private:
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_splice(&entry, fd(), -1, to_.get(), -1, 1, 0);
    }

    const Fd& to_;
};

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        check(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
        out = Fd{ends[0]};
        in = Fd{ends[1]};
    }

    Fd out;
    Fd in;
};

Task<> note_move(Reactor& reactor, Slot& slot, const Pipe& from, const Pipe& to,
                 std::string& noted) {
    MoveByte operation(reactor, slot, from.out, to.in);
    const int result = co_await operation;
    noted += std::to_string(result) + ";";
}

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

private:
    explicit Fragile(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

Fragile read_for_ever(Socket& socket) {
    std::array<char, 16> buffer{};
    while (true) {
        co_await socket.read(buffer);
    }
}

/// How many of each system call the server makes while ten clients come, each gets an echo, and
/// they leave.
std::map<std::string, std::size_t> calls_of_a_session(const Chapter& chapter) {
    const Server server(chapter);
    wait_until_at_rest(server);
    std::map<std::string, std::size_t> calls;
    const SystemCallTrace trace(server, "all");
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
        wait_until_at_rest(server);
    }
    for (const std::string& line : trace.lines()) {
        ++calls[line.substr(0, line.find('('))];
    }
    return calls;
}

Fd make_listener() {
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(::listen(fd.get(), SOMAXCONN), "listen");
    return fd;
}

Fd connect_to(const Fd& listener) {
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    check(::connect(fd.get(), address.get(), address.length), "connect");
    return fd;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Whether a coroutine that waits on a `T` can be told to stop. In a template, what would be an
/// error is an answer.
template <typename T>
constexpr bool can_cancel = requires(T& t) {
    t.cancel();
};

}  // namespace

// Before, a coroutine could be got out of a wait only by destroying its frame.
TEST_CASE("a coroutine that waits is told to stop, and goes on", "[why]") {
    require_io_uring();
    REQUIRE(can_cancel<Socket>);
    REQUIRE(can_cancel<Acceptor>);
    REQUIRE(read_source(chapter_before(), "runtime/socket.hpp").find("cancel") ==
            std::string::npos);
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start(note_read(socket, noted));
    reactor.start(cancel_and_help(reactor, socket, [&] { say(connection.theirs, "x"); }));
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;");
}

TEST_CASE("cancel: a send that waits for room says cancelled, and nothing of it is sent",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    fill(connection.ours);
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    std::string received;
    reactor.start(note_send(socket, noted));
    reactor.start(
        cancel_and_help(reactor, socket, [&] { received = take_all(connection.theirs); }));
    reactor.run();
    REQUIRE(noted == "send: Operation canceled;");
    received += take_all(connection.theirs);
    REQUIRE(received.find('h') == std::string::npos);
}

TEST_CASE("cancel: an accept comes to -ECANCELED, and the next client is the next accept's",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Fd listener = make_listener();
    Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
    std::vector<int> results;
    std::vector<Fd> clients;
    reactor.start(note_accept(acceptor, results, clients));
    std::optional<Fd> late;
    reactor.start(cancel_and_help(reactor, acceptor, [&] { late = connect_to(listener); }));
    reactor.run();
    REQUIRE(results == std::vector<int>{-ECANCELED});
    reactor.start(note_accept(acceptor, results, clients));
    reactor.run();
    REQUIRE(clients.size() == 1);
}

TEST_CASE("cancel: what stands in line has not been handed over, and needs no kernel",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    say(connection.theirs, "x");
    reactor.start(note_read(socket, noted));  // In line: the loop has not had a turn.
    socket.cancel();
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;");
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;x;");  // The byte is still there.
}

TEST_CASE("cancel: a result that is there wins, although its coroutine has not had its turn",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair first;
    Pair second;
    Socket bell(reactor, std::move(first.ours));
    Socket socket(reactor, std::move(second.ours));
    std::string noted;
    // Both are complete in the same round, and the bell's turn comes first.
    say(first.theirs, "!");
    say(second.theirs, "x");
    reactor.start(cancel_at_a_byte(bell, socket));
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;");
}

TEST_CASE("cancel: where no coroutine waits it does nothing, and twice is once", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    socket.cancel();
    say(connection.theirs, "x");
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;");
    reactor.start(note_read(socket, noted));
    reactor.start([](Reactor& loop, Socket& other, const Pair& ends) -> Task<> {
        co_await loop.sleep_for(1ms);
        other.cancel();
        other.cancel();
        co_await loop.sleep_for(5ms);
        other.cancel();
        say(ends.theirs, "y");
    }(reactor, socket, connection));
    reactor.run();
    REQUIRE(noted == "x;read: Operation canceled;");
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;read: Operation canceled;y;");
}

TEST_CASE("cancel: a read and a send on one socket both end, and those of others go on",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Pair another;
    fill(connection.ours);
    Socket socket(reactor, std::move(connection.ours));
    Socket other(reactor, std::move(another.ours));
    std::string noted;
    std::string noted_by_other;
    reactor.start(note_read(socket, noted));
    reactor.start(note_send(socket, noted));
    reactor.start(note_read(other, noted_by_other));
    reactor.start(cancel_and_help(reactor, socket, [&] {
        say(connection.theirs, "y");
        take_all(connection.theirs);
    }));
    reactor.start([](Reactor& loop, const Pair& ends) -> Task<> {
        co_await loop.sleep_for(10ms);
        say(ends.theirs, "x");
    }(reactor, another));
    reactor.run();
    REQUIRE_THAT(noted, ContainsSubstring("read: Operation canceled;"));
    REQUIRE_THAT(noted, ContainsSubstring("send: Operation canceled;"));
    REQUIRE(noted_by_other == "x;");
}

TEST_CASE("cancel: an operation that is thrown away unawaited leaves the slot to the one in it",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    std::array<char, 1> buffer{};
    reactor.start(note_read(socket, noted));
    static_cast<void>(socket.read(buffer));
    reactor.start(cancel_and_help(reactor, socket, [&] { say(connection.theirs, "x"); }));
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;");
}

TEST_CASE("cancel: more at a time than a ring has entries", "[promise]") {
    require_io_uring();
    constexpr std::size_t count = 300;  // more than a ring has entries
    Reactor reactor;
    std::vector<std::unique_ptr<Pair>> connections;
    std::vector<std::unique_ptr<Socket>> sockets;
    std::string noted;
    for (std::size_t i = 0; i < count; ++i) {
        connections.push_back(std::make_unique<Pair>());
        sockets.push_back(std::make_unique<Socket>(reactor, std::move(connections.back()->ours)));
        reactor.start(note_read(*sockets.back(), noted));
    }
    reactor.start([](Reactor& loop, std::vector<std::unique_ptr<Socket>>& all) -> Task<> {
        co_await loop.sleep_for(1ms);
        for (const auto& socket : all) {
            socket->cancel();
        }
    }(reactor, sockets));
    reactor.run();
    std::string expected;
    for (std::size_t i = 0; i < count; ++i) {
        expected += "read: Operation canceled;";
    }
    const bool same = noted == expected;
    REQUIRE(same);
}

TEST_CASE("cancel: a result that the kernel has by then wins over the request", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket bell(reactor, std::move(connection.ours));
    Pipe source;
    Pipe target;
    Slot slot;
    std::string noted;
    reactor.start(note_move(reactor, slot, source, target, noted));
    say(connection.theirs, "!");
    reactor.start([](Socket& bells, Slot& where, const Pipe& from, const Pipe& to) -> Task<> {
        std::array<char, 1> byte{};
        co_await bells.read(byte);  // The move is in flight, and there is nothing to be moved.
        say(from.in, "x");
        // It has been moved, and the loop has not been told.
        wait_for(to.out.get(), POLLIN, Deadline(), "the byte");
        where.cancel();
    }(bell, slot, source, target));
    reactor.run();
    REQUIRE(noted == "1;");
}

TEST_CASE("cancel: a byte of which the loop has not been told is read, or waits for the next read",
          "[promise]") {
    require_io_uring();
    const unsigned kind = GENERATE(deferred, cooperative, plain);
    const RingsAreMadeWith flags(kind);
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start(note_read(socket, noted));
    reactor.start([](Reactor& loop, Socket& from, const Pair& ends) -> Task<> {
        co_await loop.sleep_for(1ms);  // Now the read is in flight.
        say(ends.theirs, "x");
        from.cancel();
    }(reactor, socket, connection));
    reactor.run();
    if (kind == deferred) {
        // The kernel has put the read off, and the request comes first.
        REQUIRE(noted == "read: Operation canceled;");
        reactor.start(note_read(socket, noted));
        reactor.run();
        REQUIRE(noted == "read: Operation canceled;x;");
    } else {
        REQUIRE(noted == "x;");
    }
}

TEST_CASE("cancel: no byte is lost, however close to it the request comes", "[promise]") {
    require_io_uring();
    const RingsAreMadeWith flags(GENERATE(deferred, cooperative, plain));
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    constexpr int rounds = 200;
    reactor.start([](Socket& from, std::string& notes) -> Task<> {
        std::array<char, 16> buffer{};
        std::size_t count = 1;
        while (count > 0) {
            try {
                count = co_await from.read(buffer);
                notes.append(buffer.data(), count);
            } catch (const std::system_error&) {
            }
        }
    }(socket, noted));
    reactor.start([](Reactor& loop, Socket& from, Pair& ends) -> Task<> {
        for (int i = 0; i < rounds; ++i) {
            co_await loop.sleep_for(0ms);
            if (i % 2 == 0) {
                say(ends.theirs, "x");
                from.cancel();
            } else {
                from.cancel();
                say(ends.theirs, "x");
            }
        }
        co_await loop.sleep_for(1ms);
        ends.theirs.close();
    }(reactor, socket, connection));
    reactor.run();
    REQUIRE(noted == std::string(rounds, 'x'));
}

TEST_CASE("cancel: a frame can be destroyed while the request stands in line", "[promise]") {
    require_io_uring();
    Pair connection;
    Pair another;
    std::string noted;
    {
        Reactor reactor;
        Socket bell(reactor, std::move(another.ours));
        reactor.start([](Reactor& loop, Fd fd, Socket& other, std::string& notes) -> Task<> {
            Socket socket(loop, std::move(fd));
            loop.start([](Socket& bells, Socket& victim) -> Task<> {
                std::array<char, 1> byte{};
                co_await bells.read(byte);
                victim.cancel();
                throw std::runtime_error("the loop ends in this round");
            }(other, socket));
            co_await note_read(socket, notes);
        }(reactor, std::move(connection.ours), bell, noted));
        say(another.theirs, "!");
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    REQUIRE(noted.empty());
    // The other end learns that the socket has been closed, and not only let go of.
    std::array<char, 1> byte{};
    REQUIRE(::recv(connection.theirs.get(), byte.data(), byte.size(), MSG_DONTWAIT) == 0);
}

TEST_CASE("cancel: what is completed while its request stands in line is ours again", "[promise]") {
    require_io_uring();
    const RingsAreMadeWith flags(GENERATE(deferred, cooperative, plain));
    constexpr std::size_t count = 300;  // more than a ring has entries
    Reactor reactor;
    std::vector<Pair> connections(count);
    std::vector<std::unique_ptr<Socket>> sockets;
    std::string noted;
    for (Pair& connection : connections) {
        sockets.push_back(std::make_unique<Socket>(reactor, std::move(connection.ours)));
        reactor.start(note_read(*sockets.back(), noted));
    }
    Pair last;
    Socket silent(reactor, std::move(last.ours));
    std::optional<Fragile> destroyed = read_for_ever(silent);
    reactor.start([](Reactor& loop, std::vector<Pair>& ends,
                     std::vector<std::unique_ptr<Socket>>& all,
                     std::optional<Fragile>& victim) -> Task<> {
        co_await loop.sleep_for(1ms);
        for (const Pair& connection : ends) {
            say(connection.theirs, "x");
        }
        for (const auto& socket : all) {
            socket->cancel();
        }
        // Its destructor waits, behind all the others, and takes their completions.
        victim.reset();
    }(reactor, connections, sockets, destroyed));
    reactor.run();
    // Each has its byte, or was cancelled and has left it where it was.
    std::size_t bytes = 0;
    std::size_t cancelled = 0;
    for (std::size_t i = 0; i < noted.size(); i = noted.find(';', i) + 1) {
        ++(noted.compare(i, 2, "x;") == 0 ? bytes : cancelled);
    }
    REQUIRE(bytes + cancelled == count);
    connections.clear();
    std::size_t left = 0;
    for (const auto& socket : sockets) {
        reactor.start([](Socket& from, std::size_t& found) -> Task<> {
            std::array<char, 2> buffer{};
            const std::size_t received = co_await from.read(buffer);
            found += received;
        }(*socket, left));
    }
    reactor.run();
    REQUIRE(left == cancelled);
}

TEST_CASE("cancel: a client that has come before the request is not lost", "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Fd listener = make_listener();
    Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
    std::vector<int> results;
    std::vector<Fd> clients;
    Pair connection;
    Socket bell(reactor, std::move(connection.ours));
    // Both are complete in the same round, and the bell's turn comes first.
    say(connection.theirs, "!");
    const Fd client = connect_to(listener);
    reactor.start(cancel_at_a_byte(bell, acceptor));
    reactor.start(note_accept(acceptor, results, clients));
    reactor.run();
    REQUIRE(clients.size() == 1);
}

TEST_CASE("the server cancels nobody: a session costs the system calls that it has cost before",
          "[promise]") {
    require_io_uring();
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

TEST_CASE("when the listener is broken the server says so and ends, whatever its clients wait for",
          "[promise]") {
    require_io_uring();
    Server server;
    std::vector<Client> silent = connect_clients(server, 10);
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    break_listener(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: accept: Invalid argument\n");
    for (Client& client : silent) {
        REQUIRE(client.receive_to_end().empty());
    }
}

TEST_CASE("how a coroutine runs and how a ring is made are the same to the byte as before",
          "[promise]") {
    for (const std::string name :
         {"runtime/task.hpp", "runtime/ring_setup.hpp", "runtime/waiter.hpp"}) {
        CAPTURE(name);
        const bool same =
            read_source(chapter_under_test(), name) == read_source(chapter_before(), name);
        REQUIRE(same);
    }
}

TEST_CASE("a client that stalls is kept, since nobody knows that it is time to cancel", "[limit]") {
    require_io_uring();
    REQUIRE(stalled_clients(chapter_under_test(), {}) == "both are kept");
}
