// Chapter 39: who keeps the server waiting for too long is cancelled.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fd.hpp"
#include "runtime/deadlines.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;
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

    void fill() const {
        const std::string filler(4096, '.');
        while (::send(ours.get(), filler.data(), filler.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        }
    }

    Fd ours;
    Fd theirs;
};

Task<> note_read(Socket& socket, Timeout* timeout, std::string& noted, std::string name = "") {
    std::array<char, 16> buffer{};
    noted += name;
    try {
        const std::size_t count = co_await socket.read(buffer, timeout);
        noted += std::string(buffer.data(), count);
    } catch (const std::system_error& error) {
        noted += error.what();
    }
    noted += ";";
}

/// Reads, and notes its name when it is over.
Task<> note_end(Socket& socket, Timeout* timeout, std::string& noted, char name) {
    std::string words;
    co_await note_read(socket, timeout, words);
    noted += name;
}

Task<> note_send(Socket& socket, Timeout* timeout, std::string& noted) {
    try {
        const std::size_t count = co_await socket.send(std::span("hello", 5), timeout);
        noted += std::to_string(count);
    } catch (const std::system_error& error) {
        noted += error.what();
    }
    noted += ";";
}

Task<> say_after(Reactor& reactor, std::chrono::milliseconds time, const Connection& connection) {
    co_await reactor.sleep_for(time);
    connection.say("x");
}

/// Whether a server whose client says nothing has closed the connection, when another one of the
/// kind would have been closed long ago.
bool evicts_a_silent_client(const Server& server) {
    Client silent(server);
    try {
        return silent.receive_to_end().empty();
    } catch (const TimedOut&) {
        return false;
    }
}

}  // namespace

TEST_CASE("a client that stalls is not kept for ever", "[why]") {
    require_io_uring();
    REQUIRE(
        evicts_a_silent_client(Server({.arguments = {"--port", "0", "--idle-timeout", "100"}})));
    // Before, there was nothing that could be asked for, and a client could stay.
    const Server before(chapter_before());
    Client silent(before);
    wait_until_at_rest(before);
    REQUIRE(silent.exchange("still here?") == "still here?");
    REQUIRE(before.diagnostics().empty());
}

TEST_CASE("deadline: a read that is late says so, and the next one gets the bytes", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(1ms);
    reactor.add(timeout);
    std::string noted;
    reactor.start(note_read(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "read: Connection timed out;");
    connection.say("hello");
    reactor.start(note_read(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "read: Connection timed out;hello;");
}

TEST_CASE("deadline: a send for which there is no room in time says so", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    connection.fill();
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(1ms);
    reactor.add(timeout);
    std::string noted;
    reactor.start(note_send(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "send: Connection timed out;");
}

TEST_CASE("deadline: whoever is done in time is not cancelled later", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(20ms);
    reactor.add(timeout);
    std::string noted;
    connection.say("a");
    reactor.start([](Socket& ours, Timeout& time, const Connection& ends, Reactor& loop,
                     std::string& notes) -> Task<> {
        co_await note_read(ours, &time, notes);
        co_await loop.sleep_for(30ms);  // Its deadline is over, and it was done before.
        ends.say("b");
        co_await note_read(ours, nullptr, notes);
    }(socket, timeout, connection, reactor, noted));
    reactor.run();
    REQUIRE(noted == "a;b;");
}

TEST_CASE("deadline: of many with the same time each is late in its turn", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Timeout timeout(2ms);
    reactor.add(timeout);
    std::string noted;
    std::vector<std::unique_ptr<Connection>> connections;
    std::vector<std::unique_ptr<Socket>> sockets;
    for (char name = 'a'; name <= 'z'; ++name) {
        connections.push_back(std::make_unique<Connection>());
        sockets.push_back(std::make_unique<Socket>(reactor, std::move(connections.back()->ours)));
        reactor.start(note_end(*sockets.back(), &timeout, noted, name));
    }
    reactor.run();
    REQUIRE(noted == "abcdefghijklmnopqrstuvwxyz");
}

TEST_CASE("deadline: the shorter of two times is over first, whoever began first", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Timeout short_time(2ms);
    Timeout long_time(30ms);
    reactor.add(long_time);
    reactor.add(short_time);
    std::string noted;
    Connection first;
    Connection second;
    Connection third;
    Socket one(reactor, std::move(first.ours));
    Socket two(reactor, std::move(second.ours));
    Socket three(reactor, std::move(third.ours));
    reactor.start(note_end(one, &long_time, noted, 'l'));
    reactor.start(note_end(two, &short_time, noted, 's'));
    reactor.start(note_end(three, nullptr, noted, 'n'));
    reactor.start(say_after(reactor, 60ms, third));
    reactor.run();
    REQUIRE(noted == "sln");  // Without a time it waits as long as it takes.
}

TEST_CASE("deadline: a coroutine that is destroyed while it waits has none any more", "[promise]") {
    require_io_uring();
    Timeout timeout(1ms);
    std::string noted;
    {
        Reactor reactor;
        reactor.add(timeout);
        Connection connection;
        reactor.start(
            [](Reactor& loop, Connection ends, Timeout& time, std::string& notes) -> Task<> {
                Socket socket(loop, std::move(ends.ours));
                co_await note_read(socket, &time, notes, "begun ");
            }(reactor, std::move(connection), timeout, noted));
    }
    REQUIRE(noted == "begun ");
    REQUIRE_FALSE(timeout.first());
}

TEST_CASE("deadline: the thread sleeps until the first one, and no longer", "[promise]") {
    require_io_uring();
    Timeout early(10ms);
    Timeout late(1h);
    Reactor reactor;
    reactor.add(late);
    reactor.add(early);
    Connection one;
    Connection two;
    std::string noted;
    Socket waits(reactor, std::move(one.ours));
    Socket other(reactor, std::move(two.ours));
    reactor.start(note_end(waits, &early, noted, 'e'));
    reactor.start([](Reactor& loop, Socket& socket, Timeout& time, std::string& notes,
                     const Connection& ends) -> Task<> {
        co_await loop.sleep_for(20ms);
        ends.say("x");
        co_await note_end(socket, &time, notes, 'o');
    }(reactor, other, late, noted, two));
    reactor.run();
    REQUIRE(noted == "eo");
}

TEST_CASE("an evicted client is reported by its address, with what it did not do", "[promise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--idle-timeout", "100"}});
    Client silent(server);
    REQUIRE(silent.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: read: Connection timed out\n"));
}

TEST_CASE("all clients belong to the loop, and nobody can end a part of them", "[limit]") {
    require_io_uring();
    const Run run = run_to_end({.arguments = {"--port", "0", "--max-clients", "10"}});
    REQUIRE(run.exit_status == "exit 2");
}
