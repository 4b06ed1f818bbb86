// Chapter 35: what has lost its last user is taken out; epoll watches the ring, and nothing else.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <system_error>
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

namespace {

/// A connection with both ends in the test. Ours blocks, as that of a client does here.
struct Connection {
    Connection() {
        std::array<int, 2> ends{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
        ours = Fd{ends[0]};
        theirs = Fd{ends[1]};
    }

    void say(const std::string& words) const {
        REQUIRE(::write(theirs.get(), words.data(), words.size()) ==
                static_cast<ssize_t>(words.size()));
    }

    Fd ours;
    Fd theirs;
};

/// Reads bytes one at a time until the end of the file, and notes each.
Task<> note_bytes(Reactor& reactor, Fd fd, std::string& noted) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    while (co_await socket.read(byte) > 0) {
        noted += byte[0];
    }
}

Task<> read_some(const Socket& socket, std::size_t count, std::string& heard) {
    std::array<char, 4096> buffer{};
    while (heard.size() < count) {
        const std::size_t received = co_await socket.read(buffer);
        heard.append(buffer.data(), received);
    }
}

/// Sends all of it.
Task<> send_all(const Socket& socket, std::span<const char> bytes) {
    while (!bytes.empty()) {
        const std::size_t sent = co_await socket.send(bytes);
        bytes = bytes.subspan(sent);
    }
}

Task<> read_in_vain(Reactor& reactor, Fd fd) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
}

/// Sends itself a byte again and again, as long as nobody tells it to stop: there is never anything
/// to wait for.
Task<> be_busy(Reactor& reactor, Connection connection, const bool& is_over, int& rounds) {
    const Socket socket(reactor, std::move(connection.ours));
    std::array<char, 1> byte{};
    while (!is_over && rounds < 100'000) {
        ++rounds;
        co_await socket.send(std::span<const char>("x", 1));
        char taken = 0;
        if (::read(connection.theirs.get(), &taken, 1) != 1 ||
            ::write(connection.theirs.get(), "y", 1) != 1) {
            co_return;
        }
        co_await socket.read(byte);
    }
}

Task<> sleep_a_moment(Reactor& reactor, bool& is_over) {
    co_await reactor.sleep_for(std::chrono::milliseconds{5});
    is_over = true;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

std::size_t count_lines_with(const SystemCallTrace& trace, const std::string& words) {
    const std::vector<std::string> lines = trace.lines();
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [&](const std::string& line) { return line.find(words) != std::string::npos; }));
}

/// What epoll has to do for ten clients, each of whom gets one echo.
struct Watching {
    std::size_t told_to_watch = 0;    ///< calls of epoll_ctl()
    std::size_t told_of_clients = 0;  ///< calls of epoll_wait() that name a client as writable

    bool operator==(const Watching&) const = default;
};

Watching watch_ten_clients(const Chapter& chapter) {
    const Server server(chapter);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "epoll_ctl,epoll_wait,epoll_pwait");
    std::vector<Client> clients;
    for (int i = 0; i < 10; ++i) {
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    return {count_lines_with(trace, "EPOLL_CTL_ADD"), count_lines_with(trace, "EPOLLOUT, data")};
}

}  // namespace

TEST_CASE("a client costs no call to watch it, and nobody is told of it in vain", "[why]") {
    require_io_uring();
    require_strace();
    const Watching before = watch_ten_clients(chapter_before());
    CHECK(before.told_to_watch == 10);
    CHECK(before.told_of_clients >= 10);
    CHECK(watch_ten_clients(chapter_under_test()) == Watching{});
}

TEST_CASE("server.cpp and task.hpp are the same to the byte as before", "[promise]") {
    for (const std::string name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("the operations and the ring are the same to the byte as before", "[promise]") {
    for (const std::string name :
         {"runtime/operation.hpp", "runtime/ring.hpp", "runtime/queue.hpp"}) {
        CAPTURE(name);
        REQUIRE(read_source(chapter_under_test(), name) == read_source(chapter_before(), name));
    }
}

TEST_CASE("socket: to take over a descriptor costs no system call, and cannot fail", "[promise]") {
    require_io_uring();
    std::string words;
    Reactor reactor;
    // epoll would have refused this one: it is no open descriptor.
    reactor.start(read_in_vain(reactor, Fd{}));
    try {
        reactor.run();
    } catch (const std::system_error& error) {
        words = error.what();
    }
    REQUIRE(words == "read: Bad file descriptor");
}

TEST_CASE("socket: one coroutine reads while another sends", "[promise]") {
    require_io_uring();
    // More than the kernel keeps for a connection, so that each has to wait for the other.
    const std::string bytes(1'000'000, 'x');
    std::string here;
    std::string there;
    Reactor reactor;
    Connection connection;
    const Socket ours(reactor, std::move(connection.ours));
    const Socket theirs(reactor, std::move(connection.theirs));
    reactor.start(read_some(ours, bytes.size(), here));
    reactor.start(send_all(ours, bytes));
    reactor.start(read_some(theirs, bytes.size(), there));
    reactor.start(send_all(theirs, bytes));
    reactor.run();
    const bool same = here == bytes && there == bytes;
    REQUIRE(same);
}

TEST_CASE("reactor: whoever always has something to do does not keep the others waiting",
          "[promise]") {
    require_io_uring();
    std::string order;
    Reactor reactor;
    {
        Connection first;
        Connection second;
        first.say(std::string(100, 'a'));
        second.say(std::string(100, 'b'));
        reactor.start(note_bytes(reactor, std::move(first.ours), order));
        reactor.start(note_bytes(reactor, std::move(second.ours), order));
    }
    reactor.run();
    REQUIRE(order.size() == 200);
    // Each read is a turn of its own: they go in turn.
    REQUIRE(order.find("aa") == std::string::npos);
    REQUIRE(order.find("bb") == std::string::npos);
}

TEST_CASE("reactor: a sleeper wakes beside one that is always busy", "[promise]") {
    require_io_uring();
    bool is_over = false;
    int rounds = 0;
    Reactor reactor;
    reactor.start(be_busy(reactor, Connection(), is_over, rounds));
    reactor.start(sleep_a_moment(reactor, is_over));
    reactor.run();
    REQUIRE(is_over);
    REQUIRE(rounds < 100'000);
}

TEST_CASE("each round of the loop makes two system calls where one could do", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,poll,ppoll,io_uring_enter");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    // Of the first one strace may see the end alone, or nothing.
    std::size_t waits = 0;
    for (const std::string name : {"epoll_wait", "epoll_pwait", "poll", "ppoll"}) {
        waits += trace.count(name);
    }
    REQUIRE((waits == 9 || waits == 10));
    REQUIRE(trace.count("io_uring_enter") == 20);
}
