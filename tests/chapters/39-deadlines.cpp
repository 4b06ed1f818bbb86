// Chapter 39: who keeps the server waiting for too long is cancelled.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/deadlines.hpp"
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
using Catch::Matchers::Matches;
using namespace std::chrono_literals;

namespace {

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Leaves no room for one byte more on this end.
void fill(const Fd& fd) {
    const std::string filler(4096, '.');
    while (::send(fd.get(), filler.data(), filler.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
}

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

}  // namespace

TEST_CASE("a client that stalls is not kept for ever", "[why]") {
    require_io_uring();
    REQUIRE(stalled_clients(chapter_before(), {}) == "both are kept");
    REQUIRE(stalled_clients(chapter_under_test(), {"--idle-timeout", "200", "--write-timeout",
                                                   "200"}) == "both are evicted");
}

TEST_CASE("deadlines cost no system call of their own", "[promise]") {
    require_io_uring();
    require_strace();
    // A minute each, when nothing is said.
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("deadline: a read that is late says so, and the next one gets the bytes", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(1ms);
    reactor.add(timeout);
    std::string noted;
    reactor.start(note_read(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "read: Connection timed out;");
    say(connection.theirs, "hello");
    reactor.start(note_read(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "read: Connection timed out;hello;");
}

TEST_CASE("deadline: a send for which there is no room in time says so", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    fill(connection.ours);
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(1ms);
    reactor.add(timeout);
    std::string noted;
    reactor.start(note_send(socket, &timeout, noted));
    reactor.run();
    REQUIRE(noted == "send: Connection timed out;");
}

TEST_CASE("deadline: what is done in time is not cancelled later", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    Timeout timeout(20ms);
    reactor.add(timeout);
    std::string noted;
    say(connection.theirs, "a");
    reactor.start([](Socket& ours, Timeout& time, const Pair& ends, Reactor& loop,
                     std::string& notes) -> Task<> {
        co_await note_read(ours, &time, notes);
        co_await loop.sleep_for(30ms);  // Its deadline is over, and it was done before.
        say(ends.theirs, "b");
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
    std::vector<std::unique_ptr<Pair>> connections;
    std::vector<std::unique_ptr<Socket>> sockets;
    for (char name = 'a'; name <= 'z'; ++name) {
        connections.push_back(std::make_unique<Pair>());
        sockets.push_back(std::make_unique<Socket>(reactor, std::move(connections.back()->ours)));
        reactor.start(note_end(*sockets.back(), &timeout, noted, name));
    }
    reactor.run();
    REQUIRE(noted == "abcdefghijklmnopqrstuvwxyz");
}

TEST_CASE("deadline: the shorter of two times is over first, in whatever order they were added",
          "[promise]") {
    require_io_uring();
    const bool is_short_added_first = GENERATE(false, true);
    Timeout short_time(2ms);
    Timeout long_time(1h);
    Reactor reactor;
    reactor.add(is_short_added_first ? short_time : long_time);
    reactor.add(is_short_added_first ? long_time : short_time);
    std::string noted;
    Pair first;
    Pair second;
    Pair third;
    Socket one(reactor, std::move(first.ours));
    Socket two(reactor, std::move(second.ours));
    Socket three(reactor, std::move(third.ours));
    reactor.start(note_end(one, &long_time, noted, 'l'));
    reactor.start(note_end(three, nullptr, noted, 'n'));
    // No coroutine sleeps: it is the deadline that wakes the thread.
    reactor.start([](Socket& socket, Timeout& time, std::string& notes, const Pair& long_one,
                     const Pair& endless) -> Task<> {
        co_await note_end(socket, &time, notes, 's');
        say(long_one.theirs, "x");
        say(endless.theirs, "x");
    }(two, short_time, noted, first, third));
    reactor.run();
    REQUIRE(noted == "sln");
}

TEST_CASE("deadline: the time of an operation begins with the operation", "[promise]") {
    require_io_uring();
    Timeout timeout(50ms);
    Reactor reactor;
    reactor.add(timeout);
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    const auto begin = std::chrono::steady_clock::now();
    reactor.start([](Reactor& loop, Socket& from, Timeout& time, std::string& notes) -> Task<> {
        co_await loop.sleep_for(100ms);  // Nothing happens for longer than its time.
        co_await note_read(from, &time, notes);
    }(reactor, socket, timeout, noted));
    reactor.run();
    REQUIRE(noted == "read: Connection timed out;");
    REQUIRE(std::chrono::steady_clock::now() - begin >= 150ms);
}

TEST_CASE("deadline: a byte that is there when the time is over is read", "[promise]") {
    require_io_uring();
    Timeout none(0ms);  // It is over before the read is handed over.
    Reactor reactor;
    reactor.add(none);
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    say(connection.theirs, "x");
    reactor.start(note_read(socket, &none, noted));
    reactor.run();
    REQUIRE(noted == "x;");
}

TEST_CASE("deadline: a byte that comes with it is read now or next time, never lost", "[promise]") {
    require_io_uring();
    Timeout timeout(1ms);
    Reactor reactor;
    reactor.add(timeout);
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start([](Socket& from, Timeout& time, std::string& bytes) -> Task<> {
        std::array<char, 16> buffer{};
        std::size_t count = 1;
        while (count > 0) {
            try {
                count = co_await from.read(buffer, &time);
                bytes.append(buffer.data(), count);
            } catch (const std::system_error&) {
            }
        }
    }(socket, timeout, noted));
    std::thread speaker([&connection] {
        for (int i = 0; i < 300; ++i) {
            [[maybe_unused]] const ssize_t sent = ::write(connection.theirs.get(), "x", 1);
            std::this_thread::sleep_for(std::chrono::microseconds{900 + i});
        }
        connection.theirs.close();
    });
    reactor.run();
    speaker.join();
    REQUIRE(noted == std::string(300, 'x'));
}

TEST_CASE("deadline: a read without one waits for as long as it takes, beside one that has one",
          "[promise]") {
    require_io_uring();
    Timeout timeout(1ms);
    Reactor reactor;
    reactor.add(timeout);
    Pair connection;
    Socket socket(reactor, std::move(connection.ours));
    Pair another;
    Socket other(reactor, std::move(another.ours));
    std::string noted;
    reactor.start(note_end(socket, nullptr, noted, 'n'));
    reactor.start([](Socket& from, Timeout& time, std::string& notes, const Pair& ends) -> Task<> {
        for (int i = 0; i < 5; ++i) {
            co_await note_end(from, &time, notes, 't');
        }
        say(ends.theirs, "x");
    }(other, timeout, noted, connection));
    reactor.run();
    REQUIRE(noted == "tttttn");
}

TEST_CASE("deadline: a coroutine that is destroyed while it waits has none any more", "[promise]") {
    require_io_uring();
    Timeout timeout(1h);
    std::string noted;
    Pair connection;
    {
        Reactor reactor;
        reactor.add(timeout);
        reactor.start([](Reactor& loop, Fd fd, Timeout& time, std::string& notes) -> Task<> {
            Socket socket(loop, std::move(fd));
            co_await note_read(socket, &time, notes, "begun ");
        }(reactor, std::move(connection.ours), timeout, noted));
        reactor.start([](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(1ms);  // Now the read is in flight.
            throw std::runtime_error("enough");
        }(reactor));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
        REQUIRE(timeout.first());
    }
    REQUIRE(noted == "begun ");
    REQUIRE_FALSE(timeout.first());
}

TEST_CASE("a client that comes after a long silence has all of its time", "[promise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--idle-timeout", "1500"}});
    wait_until_at_rest(server);
    std::this_thread::sleep_for(1600ms);  // Nothing happens for longer than its time.
    Client client(server);
    wait_until("it is taken in", [&] { return server.count_clients() == 1; });
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("the ring and the task are the same to the byte as before", "[promise]") {
    for (const std::string name : {"ring.hpp", "ring_setup.hpp", "task.hpp", "waiter.hpp"}) {
        CAPTURE(name);
        const std::string path = "runtime/" + name;
        REQUIRE(read_source(chapter_under_test(), path) == read_source(chapter_before(), path));
    }
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

TEST_CASE("all clients belong to the loop, and there can be as many as come", "[limit]") {
    require_io_uring();
    const Run run = run_to_end({.arguments = {"--port", "0", "--max-clients", "10"}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("max-clients"));
}
