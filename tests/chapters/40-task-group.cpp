// Chapter 40: clients have an owner, and end with it.

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
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

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

    /// Whether our end has been closed.
    bool has_ended() const {
        char byte = 0;
        return ::recv(theirs.get(), &byte, 1, MSG_DONTWAIT) == 0;
    }

    Fd ours;
    Fd theirs;
};

Task<> read_for_ever(Reactor& reactor, Fd fd, std::string& noted) {
    const Counted local;
    Socket socket(reactor, std::move(fd));
    std::array<char, 16> buffer{};
    while (const std::size_t count = co_await socket.read(buffer)) {
        noted.append(buffer.data(), count);
    }
}

Task<> sleep(Reactor& reactor, std::chrono::milliseconds time, std::string& noted,
             std::string name) {
    const Counted local;
    co_await reactor.sleep_for(time);
    noted += name;
}

/// Ends the group when a moment is over.
Task<> clear_later(Reactor& reactor, TaskGroup& group) {
    co_await reactor.sleep_for(1ms);
    group.clear();
}

Task<> fail(Reactor& reactor) {
    co_await reactor.sleep_for(1ms);
    throw std::runtime_error("enough");
}

/// Ten clients are connected when the accepts begin to fail, and the server ends: whose descriptors
/// does it close first, "the listener" or "the clients"?
std::string who_is_closed_first(const Chapter& chapter) {
    Server server(chapter);
    const std::vector<Client> clients = connect_clients(server, 10);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "close");
    const int listener = break_listener(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    const std::string call = "close(" + std::to_string(listener) + ")";
    wait_until("the listener is closed", [&] {
        const std::vector<std::string> lines = trace.lines();
        return std::any_of(lines.begin(), lines.end(),
                           [&](const std::string& line) { return line.starts_with(call); });
    });
    return trace.lines().front().starts_with(call) ? "the listener" : "the clients";
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("clients end before the listener that took them in, and ended after it", "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(who_is_closed_first(chapter_before()) == "the listener");
    REQUIRE(who_is_closed_first(chapter_under_test()) == "the clients");
}

TEST_CASE("when the listener is broken the server says so and ends, also for those who were here",
          "[promise]") {
    require_io_uring();
    Server server;
    {
        Client visitor(server);
        REQUIRE(visitor.exchange("hello") == "hello");
        visitor.half_close();
        REQUIRE(visitor.receive_to_end().empty());
    }
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

TEST_CASE("group: a part of those who have been started ends, and the others go on", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection one;
    Connection two;
    std::string noted_by_one;
    std::string noted_by_two;
    TaskGroup first = reactor.group();
    TaskGroup second = reactor.group();
    first.start(read_for_ever(reactor, std::move(one.ours), noted_by_one));
    second.start(read_for_ever(reactor, std::move(two.ours), noted_by_two));
    reactor.start(clear_later(reactor, first));
    reactor.run();
    REQUIRE(one.has_ended());
    REQUIRE(first.size() == 0);
    REQUIRE(second.size() == 1);

    REQUIRE(::write(two.theirs.get(), "hello", 5) == 5);
    std::string slept;
    reactor.start(sleep(reactor, 1ms, slept, "."));
    reactor.run();
    REQUIRE(noted_by_two == "hello");
}

TEST_CASE("group: it ends its tasks when it ends, wherever they are suspended", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::vector<Connection> connections(10);
    std::string noted;
    {
        TaskGroup group = reactor.group();
        for (Connection& connection : connections) {
            group.start(read_for_ever(reactor, std::move(connection.ours), noted));
        }
        group.start(sleep(reactor, 1h, noted, "awake"));
        std::string slept;
        reactor.start(sleep(reactor, 1ms, slept, "."));
        reactor.run();
        REQUIRE(group.size() == 11);
        REQUIRE(Counted::alive == 11);
    }
    REQUIRE(Counted::alive == 0);
    for (const Connection& connection : connections) {
        REQUIRE(connection.has_ended());
    }
}

TEST_CASE("group: whoever is destroyed in his sleep leaves the line of those who sleep",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    // First in the line, in the middle, and last.
    for (const int which : {0, 1, 2}) {
        CAPTURE(which);
        noted.clear();
        std::vector<std::unique_ptr<TaskGroup>> groups;
        for (int i = 0; i < 3; ++i) {
            groups.emplace_back(new TaskGroup(reactor.group()));
            groups.back()->start(
                sleep(reactor, std::chrono::milliseconds{2 + i}, noted, std::to_string(i)));
        }
        groups[static_cast<std::size_t>(which)].reset();
        std::string slept;
        reactor.start(sleep(reactor, 10ms, slept, "."));
        reactor.run();
        std::string expected = "012";
        expected.erase(static_cast<std::size_t>(which), 1);
        REQUIRE(noted == expected);
    }
}

TEST_CASE("group: a task that ends by itself belongs to nobody any more", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    group.start(sleep(reactor, 1ms, noted, "a"));
    group.start(sleep(reactor, 2ms, noted, "b"));
    REQUIRE(group.size() == 2);
    std::string slept;
    reactor.start(sleep(reactor, 10ms, slept, "."));
    reactor.run();
    REQUIRE(noted == "ab");
    REQUIRE(group.size() == 0);
    group.clear();
}

TEST_CASE("group: what a task throws, run() throws", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    group.start(fail(reactor));
    reactor.start(sleep(reactor, 1h, noted, "awake"));
    REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    REQUIRE(noted.empty());
}

TEST_CASE("loop: its tasks end before the ring, the queue and the sleepers that they use",
          "[promise]") {
    require_io_uring();
    Connection connection;
    std::string noted;
    {
        Reactor reactor;
        reactor.start(read_for_ever(reactor, std::move(connection.ours), noted));
        reactor.start(sleep(reactor, 1h, noted, "awake"));
        reactor.start(fail(reactor));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
        REQUIRE(Counted::alive == 2);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(connection.has_ended());
    REQUIRE(noted.empty());
}

TEST_CASE("group: a group in a task of another group ends with it", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    std::string noted;
    {
        TaskGroup outer = reactor.group();
        outer.start([](Reactor& loop, Fd fd, std::string& notes) -> Task<> {
            TaskGroup inner = loop.group();
            inner.start(read_for_ever(loop, std::move(fd), notes));
            co_await loop.sleep_for(1h);
        }(reactor, std::move(connection.ours), noted));
        std::string slept;
        reactor.start(sleep(reactor, 1ms, slept, "."));
        reactor.run();
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(connection.has_ended());
}

TEST_CASE("the operations and the ring are the same to the byte as before", "[promise]") {
    for (const std::string name : {"runtime/operation.hpp", "runtime/ring.hpp",
                                   "runtime/socket.hpp", "runtime/deadlines.hpp"}) {
        CAPTURE(name);
        REQUIRE(read_source(chapter_under_test(), name) == read_source(chapter_before(), name));
    }
}

TEST_CASE("as many clients are served as come", "[limit]") {
    require_io_uring();
    const Server server;
    std::vector<Client> clients = connect_clients(server, 200);
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
    // Nor can anybody ask for fewer.
    const Run run = run_to_end({.arguments = {"--port", "0", "--max-clients", "10"}});
    REQUIRE(run.exit_status == "exit 2");
}
