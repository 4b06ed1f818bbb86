// Chapter 38: an operation in flight can be cancelled, and a result wins over the request.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using namespace std::chrono_literals;

namespace {

/// A connection with both ends in the test.
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

    /// Whether there is room for one byte more on our end.
    void fill() const {
        const std::string filler(4096, '.');
        while (::send(ours.get(), filler.data(), filler.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        }
    }

    Fd ours;
    Fd theirs;
};

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

/// Has a turn of its own after the others, and then cancels.
template <typename T>
Task<> cancel_later(Reactor& reactor, T& socket) {
    co_await reactor.sleep_for(1ms);
    socket.cancel();
}

/// Cancels when a byte has come on another connection.
Task<> cancel_at_a_byte(Socket& bell, Socket& socket) {
    std::array<char, 1> byte{};
    co_await bell.read(byte);
    socket.cancel();
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

/// Whether somebody who waits on a `T` can be told to stop. In a template, what would be an error
/// is an answer.
template <typename T>
constexpr bool can_cancel = requires(T& t) {
    t.cancel();
};

}  // namespace

// Before, nobody could be got out of a wait but by destroying him.
TEST_CASE("cancel: whoever waits is told to stop, and goes on", "[why]") {
    require_io_uring();
    REQUIRE(can_cancel<Socket>);
    REQUIRE(can_cancel<Acceptor>);
    REQUIRE(read_source(chapter_before(), "runtime/socket.hpp").find("cancel") ==
            std::string::npos);
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start(note_read(socket, noted));
    reactor.start(cancel_later(reactor, socket));
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;");
}

TEST_CASE("cancel: a send that waits for room says cancelled, and nothing of it is sent",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    connection.fill();
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start(note_send(socket, noted));
    reactor.start(cancel_later(reactor, socket));
    reactor.run();
    REQUIRE(noted == "send: Operation canceled;");
    std::array<char, 4096> page{};
    ssize_t count = 0;
    std::string received;
    while ((count = ::recv(connection.theirs.get(), page.data(), page.size(), MSG_DONTWAIT)) > 0) {
        received.append(page.data(), static_cast<std::size_t>(count));
    }
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
    reactor.start(cancel_later(reactor, acceptor));
    reactor.run();
    REQUIRE(results == std::vector<int>{-ECANCELED});
    const Fd client = connect_to(listener);
    reactor.start(note_accept(acceptor, results, clients));
    reactor.run();
    REQUIRE(clients.size() == 1);
}

TEST_CASE("cancel: what stands in line has not been handed over, and needs no kernel",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    connection.say("x");
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
    Connection first;
    Connection second;
    Socket bell(reactor, std::move(first.ours));
    Socket socket(reactor, std::move(second.ours));
    std::string noted;
    // Both are complete in the same round, and the bell's turn comes first.
    first.say("!");
    second.say("x");
    reactor.start(cancel_at_a_byte(bell, socket));
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;");
}

TEST_CASE("cancel: with nobody waiting it does nothing, and twice is once", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    socket.cancel();
    connection.say("x");
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;");
    reactor.start(note_read(socket, noted));
    reactor.start([](Reactor& loop, Socket& other) -> Task<> {
        co_await loop.sleep_for(1ms);
        other.cancel();
        other.cancel();
    }(reactor, socket));
    reactor.run();
    REQUIRE(noted == "x;read: Operation canceled;");
    connection.say("y");
    reactor.start(note_read(socket, noted));
    reactor.run();
    REQUIRE(noted == "x;read: Operation canceled;y;");
}

TEST_CASE("cancel: of two who wait on one socket both are told, and nobody else", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Connection another;
    connection.fill();
    Socket socket(reactor, std::move(connection.ours));
    Socket other(reactor, std::move(another.ours));
    std::string noted;
    std::string noted_by_other;
    reactor.start(note_read(socket, noted));
    reactor.start(note_send(socket, noted));
    reactor.start(note_read(other, noted_by_other));
    reactor.start(cancel_later(reactor, socket));
    reactor.start([](Reactor& loop, const Connection& ends) -> Task<> {
        co_await loop.sleep_for(5ms);
        ends.say("x");
    }(reactor, another));
    reactor.run();
    REQUIRE_THAT(noted, ContainsSubstring("read: Operation canceled;"));
    REQUIRE_THAT(noted, ContainsSubstring("send: Operation canceled;"));
    REQUIRE(noted_by_other == "x;");
}

TEST_CASE("cancel: an operation that is thrown away unawaited is nobody's, and finds nobody",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    std::array<char, 1> buffer{};
    reactor.start(note_read(socket, noted));
    static_cast<void>(socket.read(buffer));
    reactor.start(cancel_later(reactor, socket));
    reactor.run();
    REQUIRE(noted == "read: Operation canceled;");
}

TEST_CASE("cancel: more at a time than a ring has entries", "[promise]") {
    require_io_uring();
    constexpr std::size_t count = 600;
    Reactor reactor;
    std::vector<std::unique_ptr<Connection>> connections;
    std::vector<std::unique_ptr<Socket>> sockets;
    std::string noted;
    for (std::size_t i = 0; i < count; ++i) {
        connections.push_back(std::make_unique<Connection>());
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

TEST_CASE("the operations' task and the set-up are the same to the byte as before", "[promise]") {
    for (const std::string name :
         {"runtime/task.hpp", "runtime/ring_setup.hpp", "runtime/waiter.hpp"}) {
        CAPTURE(name);
        REQUIRE(read_source(chapter_under_test(), name) == read_source(chapter_before(), name));
    }
}

TEST_CASE("a client that stalls cannot be told apart from one that thinks: nobody cancels it",
          "[limit]") {
    require_io_uring();
    const Run run = run_to_end({.arguments = {"--port", "0", "--idle-timeout", "100"}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("idle-timeout"));
}
