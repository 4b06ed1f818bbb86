// Chapter 48: who serves a client is a member of the group, with no coroutine around it.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/counted.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;
using namespace std::chrono_literals;

namespace {

TaskGroup::Member sleep(TaskGroup&, Reactor& reactor, std::chrono::milliseconds time,
                        std::string& noted, std::string name) {
    const Counted local;
    noted += "(";
    co_await reactor.sleep_for(time);
    noted += name;
}

TaskGroup::Member end_at_once(TaskGroup&, std::string& noted) {
    noted += "ended";
    co_return;
}

TaskGroup::Member fail(TaskGroup&, Reactor& reactor) {
    co_await reactor.sleep_for(1ms);
    throw std::runtime_error("enough");
}

/// Starts another when it is destroyed.
struct Heir {
    ~Heir() { sleep(group, reactor, 1h, noted, "never"); }

    TaskGroup& group;
    Reactor& reactor;
    std::string& noted;
};

TaskGroup::Member leave_an_heir(TaskGroup& group, Reactor& reactor, std::string& noted) {
    const Heir heir{group, reactor, noted};
    co_await reactor.sleep_for(1h);
}

Task<> note_when_below(TaskGroup& group, std::size_t count, std::string& noted) {
    co_await group.below(count);
    noted += "below " + std::to_string(count) + " ";
}

/// Keeps the reactor running until the group is empty.
Task<> join(TaskGroup& group) {
    co_await group.below(1);
}

/// How many allocations a client takes that comes when 1000 others are there, with its echo.
std::string allocations_for_a_client(const Chapter& chapter) {
    const Server server(chapter, {.arguments = {"--port", "0"}, .allocations_can_fail = true});
    std::vector<Client> others = connect_clients(server, 1000);
    wait_until_at_rest(server);
    constexpr int many = 1'000'000;
    server.fail_allocation(many);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    return std::to_string(many - server.allocations_left());
}

}  // namespace

TEST_CASE("a silent client costs 64 bytes less at the least", "[why]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer has an allocator of its own");
#endif
    require_io_uring();
    const std::size_t before = bytes_of_a_silent_client(chapter_before());
    const std::size_t now = bytes_of_a_silent_client(chapter_under_test());
    CAPTURE(before, now);
    REQUIRE(now + 64 <= before);
}

TEST_CASE("a client takes three allocations, where it has taken five", "[why]") {
    require_io_uring();
    require_failing_allocations();
    REQUIRE(allocations_for_a_client(chapter_before()) == "5");
    REQUIRE(allocations_for_a_client(chapter_under_test()) == "3");
}

TEST_CASE("a member begins at once, and is one of the group until it has ended", "[promise]") {
    require_io_uring();
    Reactor reactor;
    TaskGroup group = reactor.group();
    std::string noted;
    sleep(group, reactor, 2ms, noted, "a)");
    sleep(group, reactor, 1ms, noted, "b)");
    REQUIRE(noted == "((");
    REQUIRE(group.size() == 2);
    end_at_once(group, noted);
    REQUIRE(noted == "((ended");
    REQUIRE(group.size() == 2);
    reactor.start(join(group));
    reactor.run();
    REQUIRE(noted == "((endedb)a)");
    REQUIRE(group.size() == 0);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("who waits for a group is woken by the ends of its members", "[promise]") {
    require_io_uring();
    Reactor reactor;
    TaskGroup group = reactor.group();
    std::string noted;
    sleep(group, reactor, 1ms, noted, "a) ");
    sleep(group, reactor, 5ms, noted, "b) ");
    reactor.start(note_when_below(group, 2, noted));
    reactor.start(note_when_below(group, 1, noted));
    reactor.run();
    REQUIRE(noted == "((a) below 2 b) below 1 ");
}

TEST_CASE("a group that ends destroys its members where they are suspended", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    {
        TaskGroup group = reactor.group();
        for (int i = 0; i < 3; ++i) {
            sleep(group, reactor, 1h, noted, "never");
        }
        REQUIRE(Counted::alive == 3);
    }
    REQUIRE(Counted::alive == 0);
    reactor.run();
    REQUIRE(noted == "(((");
}

TEST_CASE("a member that is destroyed may start another, and that one ends with the group, too",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    {
        TaskGroup group = reactor.group();
        leave_an_heir(group, reactor, noted);
        leave_an_heir(group, reactor, noted);
        group.clear();
        REQUIRE(group.size() == 0);
        REQUIRE(Counted::alive == 0);
    }
    REQUIRE(noted == "((");
}

TEST_CASE("a member without memory for its frame is none, and the caller is told", "[promise]") {
    require_io_uring();
    Reactor reactor;
    TaskGroup group = reactor.group();
    std::string noted;
    sleep(group, reactor, 1ms, noted, "a)");
    allocations_to_fail = 1;
    REQUIRE_THROWS_AS(sleep(group, reactor, 1ms, noted, "b)"), std::bad_alloc);
    REQUIRE(group.size() == 1);
    reactor.start(join(group));
    reactor.run();
    REQUIRE(noted == "(a)");
}

TEST_CASE("a member takes one allocation, its frame, however many there are", "[promise]") {
    require_io_uring();
    Reactor reactor;
    TaskGroup group = reactor.group();
    std::string noted;
    for (int i = 0; i < 1000; ++i) {
        noted.reserve(noted.size() + 1);
        const int before = allocations_so_far;
        sleep(group, reactor, 1h, noted, "");
        REQUIRE(allocations_so_far - before == 1);
    }
    group.clear();
}

TEST_CASE("what a member throws ends the run, and says so", "[promise]") {
    require_io_uring();
    Reactor reactor;
    TaskGroup group = reactor.group();
    fail(group, reactor);
    reactor.start(join(group));
    REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    REQUIRE(group.size() == 0);
}

TEST_CASE("a place that a client leaves is free at once", "[promise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--max-clients", "2"}});
    std::vector<Client> clients = connect_clients(server, 2);
    Client third(server);
    third.send("hello");
    wait_until_at_rest(server);
    REQUIRE_FALSE(third.has_input());
    clients.front().close();
    REQUIRE(third.receive(5) == "hello");
}

TEST_CASE("a listener that is broken ends the server, with its members", "[promise]") {
    require_io_uring();
    require_strace();
    Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    wait_until_at_rest(server);
    break_listener(server);
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: accept: Invalid argument\n");
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end().empty());
    }
}

TEST_CASE("what is said of a client that resets names where it came from", "[promise]") {
    require_io_uring();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    client.reset();
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), Matches("client 127.0.0.1:[0-9]+: .*: Connection reset by "
                                               "peer\n"));
}
