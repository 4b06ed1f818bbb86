// Chapter 41: who owns tasks can wait for them; at most so many clients at a time.

#include <signal.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using namespace std::chrono_literals;

namespace {

StartSettings with_most(int clients) {
    return {.arguments = {"--port", "0", "--max-clients", std::to_string(clients)}};
}

/// Two clients are served when another one comes and sends something: it "is served", "waits in the
/// accept queue", or "has a descriptor and no echo".
std::string the_third_client(const Server& server) {
    const std::vector<Client> clients = connect_clients(server, 2);
    Client third(server);
    third.send("hello");
    wait_until_at_rest(server);
    if (proc::accept_queue_length(server.endpoint()) == 1) {
        return "waits in the accept queue";
    }
    return third.has_input() ? "is served" : "has a descriptor and no echo";
}

Task<> sleep(Reactor& reactor, std::chrono::milliseconds time, std::string& noted, char name) {
    const Counted local;
    co_await reactor.sleep_for(time);
    noted += name;
}

/// Ends when a byte comes on a connection of its own, and notes its name.
Task<> end_when_told(Reactor& reactor, Pair& pair, std::string& noted, char name) {
    const Counted local;
    Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    noted += name;
}

/// Has one after the other end, and waits each time until so much has been noted.
Task<> tell_in_turn(Reactor& reactor, std::vector<Pair>& pairs, std::vector<std::size_t> sizes,
                    const std::string& noted) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        say(pairs[i].theirs, "x");
        for (int round = 0; round < 1000 && noted.size() < sizes[i]; ++round) {
            co_await reactor.sleep_for(1ms);
        }
    }
}

Task<> note_when_below(TaskGroup& group, std::size_t count, std::string& noted, char name) {
    const Counted local;
    co_await group.below(count);
    noted += name;
}

Task<> clear_later(Reactor& reactor, TaskGroup& group) {
    co_await reactor.sleep_for(1ms);
    group.clear();
}

Task<> end_after(Reactor& reactor, std::chrono::milliseconds time) {
    co_await reactor.sleep_for(time);
}

}  // namespace

TEST_CASE("with room for two the third client waits in the accept queue, and was served", "[why]") {
    require_io_uring();
    REQUIRE(the_third_client(Server(chapter_before())) == "is served");
    REQUIRE(the_third_client(Server(with_most(2))) == "waits in the accept queue");
}

TEST_CASE("who waits in the accept queue is served when one has left", "[promise]") {
    require_io_uring();
    const Server server(with_most(2));
    std::vector<Client> clients = connect_clients(server, 2);
    Client third(server);
    third.send("hello");
    wait_until_at_rest(server);
    REQUIRE(server.count_clients() == 2);
    REQUIRE(clients[0].exchange("still there?") == "still there?");
    clients[1].half_close();
    REQUIRE(third.receive(5) == "hello");
}

TEST_CASE("with room for one, a crowd is served one after another", "[promise]") {
    require_io_uring();
    const Server server(with_most(1));
    std::vector<Client> clients;
    for (unsigned i = 0; i < 20; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
        clients.back().half_close();
    }
    for (unsigned i = 0; i < 20; ++i) {
        CAPTURE(i);
        REQUIRE(clients[i].receive_to_end() == random_bytes(1000, i));
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a client that resets gives its place back", "[promise]") {
    require_io_uring();
    const Server server(with_most(1));
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    Client second(server);
    second.send("hello");
    wait_until_at_rest(server);
    REQUIRE_FALSE(second.has_input());
    first.reset();
    REQUIRE(second.receive(5) == "hello");
}

TEST_CASE("a client that is evicted gives its place back", "[promise]") {
    require_io_uring();
    const Server server(
        {.arguments = {"--port", "0", "--max-clients", "1", "--idle-timeout", "200"}});
    const Client silent(server);
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("a number of clients that cannot be is refused, and the exit code is 2", "[promise]") {
    const std::string option = GENERATE("--max-clients=0", "--max-clients=many");
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("--max-clients wants a whole number from 1 to "));
}

TEST_CASE("below: with as many as that it waits, and goes on when one has ended", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    std::vector<Pair> pairs(2);
    TaskGroup group = reactor.group();
    group.start(end_when_told(reactor, pairs[0], noted, 'a'));
    group.start(end_when_told(reactor, pairs[1], noted, 'b'));
    reactor.start(note_when_below(group, 3, noted, '3'));
    REQUIRE(noted == "3");  // Two are fewer than three: nobody waits.
    reactor.start(note_when_below(group, 2, noted, '2'));
    reactor.start(note_when_below(group, 1, noted, '1'));
    reactor.start(tell_in_turn(reactor, pairs, {3, 5}, noted));
    reactor.run();
    REQUIRE(noted == "3a2b1");
}

TEST_CASE("below: whoever waits is woken in his own turn, and never in that of a task's end",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    group.start(sleep(reactor, 1h, noted, 'a'));
    group.start(sleep(reactor, 1h, noted, 'b'));
    TaskGroup waiting = reactor.group();
    waiting.start([](TaskGroup& tasks, std::string& notes) -> Task<> {
        co_await tasks.below(2);
        notes += std::to_string(tasks.size());
    }(group, noted));
    // The number is reached between the ends of the two.
    reactor.start(clear_later(reactor, group));
    reactor.run();
    reactor.start(end_after(reactor, 1ms));
    reactor.run();
    REQUIRE(noted == "0");
}

TEST_CASE("below: of those who wait for the same number all go on, in their order", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    group.start(sleep(reactor, 1h, noted, 'a'));
    for (const char name : {'1', '2', '3'}) {
        reactor.start(note_when_below(group, 1, noted, name));
    }
    reactor.start(clear_later(reactor, group));
    reactor.run();
    REQUIRE(noted == "123");
}

TEST_CASE("below: clear() wakes whoever waits, as an end does", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    group.start(sleep(reactor, 1h, noted, 'a'));
    group.start(sleep(reactor, 1h, noted, 'b'));
    reactor.start(clear_later(reactor, group));
    reactor.start(note_when_below(group, 1, noted, '!'));
    reactor.run();
    REQUIRE(noted == "!");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("below: of those who wait each goes on when his number is reached, whoever came first",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    std::vector<Pair> pairs(3);
    TaskGroup group = reactor.group();
    group.start(end_when_told(reactor, pairs[0], noted, 'a'));
    group.start(end_when_told(reactor, pairs[1], noted, 'b'));
    group.start(end_when_told(reactor, pairs[2], noted, 'c'));
    reactor.start(note_when_below(group, 1, noted, '1'));
    reactor.start(note_when_below(group, 3, noted, '3'));
    reactor.start(note_when_below(group, 2, noted, '2'));
    reactor.start(tell_in_turn(reactor, pairs, {2, 4, 6}, noted));
    reactor.run();
    REQUIRE(noted == "a3b2c1");
}

TEST_CASE("below: whoever is destroyed while he waits is not woken", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    std::vector<Pair> pairs(1);
    TaskGroup group = reactor.group();
    group.start(end_when_told(reactor, pairs[0], noted, 'a'));
    {
        TaskGroup waiting = reactor.group();
        waiting.start(note_when_below(group, 1, noted, '!'));
        REQUIRE(waiting.size() == 1);
    }
    reactor.start(tell_in_turn(reactor, pairs, {1}, noted));
    reactor.run();
    reactor.start(end_after(reactor, 1ms));  // A round more, for whoever would be woken.
    reactor.run();
    REQUIRE(noted == "a");
}

TEST_CASE("below: whoever is destroyed between being woken and his turn is not resumed",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup group = reactor.group();
    {
        TaskGroup waiting = reactor.group();
        group.start(sleep(reactor, 1h, noted, 'a'));
        waiting.start(note_when_below(group, 1, noted, '!'));
        group.clear();
    }
    reactor.start(end_after(reactor, 1ms));
    reactor.run();
    REQUIRE(noted.empty());
}

TEST_CASE("below: the group ends before those who wait for it", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::string noted;
    TaskGroup waiting = reactor.group();
    {
        TaskGroup group = reactor.group();
        group.start(sleep(reactor, 1h, noted, 'a'));
        waiting.start(note_when_below(group, 1, noted, '!'));
        REQUIRE(waiting.size() == 1);
    }
    reactor.start(end_after(reactor, 1ms));
    reactor.run();
    REQUIRE(noted == "!");  // Its tasks have ended with it.
}

TEST_CASE("stopping the server loses what it has, however few its clients are", "[limit]") {
    require_io_uring();
    Server server(with_most(1));
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "killed by SIGTERM");
}
