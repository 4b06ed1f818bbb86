// Chapter 19: a client's story is one function again, left in the middle at the end of a turn.

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/counted.hpp"
#include "runtime/generator.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// Puts lines together out of whatever has come. When all has been read, more must come first.
Generator read_lines(std::string_view& come, std::vector<std::string>& lines) {
    while (true) {
        std::string line;
        while (!line.ends_with('\n')) {
            if (come.empty()) {
                co_yield Next::event;
                continue;
            }
            line += come.front();
            come.remove_prefix(1);
        }
        lines.push_back(line);
        co_yield Next::turn;
    }
}

Generator yield_twice(std::vector<std::string>& heard) {
    heard.emplace_back("first");
    co_yield Next::turn;
    heard.emplace_back("second");
    co_yield Next::pause;
    heard.emplace_back("last");
}

Generator hold(Counted parameter) {
    const Counted local = parameter;
    co_yield Next::event;
}

Generator fail_after_a_turn(Counted parameter) {
    const Counted local = parameter;
    co_yield Next::turn;
    throw std::runtime_error("it has failed");
}

/// Hears what is said to `other`, on whatever descriptor its turns come.
Generator hear(const Fd& other, std::string& heard) {
    while (true) {
        char byte = 0;
        while (::read(other.get(), &byte, 1) == 1) {
            heard += byte;
        }
        co_yield Next::event;
    }
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before it could yield",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, the half of a line that has come would have been a member of a struct.
TEST_CASE("generator: what comes in pieces is put together in a local variable", "[why]") {
    std::string_view come;
    std::vector<std::string> lines;
    Generator turns = read_lines(come, lines);
    come = "Hel";
    REQUIRE(turns.resume() == Next::event);
    come = "lo,\nworld";
    REQUIRE(turns.resume() == Next::turn);
    REQUIRE(lines == std::vector<std::string>{"Hello,\n"});
    REQUIRE(turns.resume() == Next::event);
    come = "!\n";
    REQUIRE(turns.resume() == Next::turn);
    REQUIRE(lines == std::vector<std::string>{"Hello,\n", "world!\n"});
}

TEST_CASE("generator: each turn goes on where the last one ended, and the end is an answer",
          "[promise]") {
    std::vector<std::string> heard;
    Generator turns = yield_twice(heard);
    REQUIRE(heard.empty());  // The call has made the frame, and nothing else.
    REQUIRE(turns.resume() == Next::turn);
    REQUIRE(heard == std::vector<std::string>{"first"});
    REQUIRE(turns.resume() == Next::pause);
    REQUIRE(heard == std::vector<std::string>{"first", "second"});
    REQUIRE(turns.resume() == Next::end);
    REQUIRE(heard == std::vector<std::string>{"first", "second", "last"});
}

TEST_CASE("generator: with it the frame ends, wherever its function stands", "[promise]") {
    REQUIRE(Counted::alive == 0);
    {
        const Generator never_resumed = hold(Counted());
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
    {
        Generator in_the_middle = hold(Counted());
        REQUIRE(in_the_middle.resume() == Next::event);
        REQUIRE(Counted::alive == 2);
    }
    REQUIRE(Counted::alive == 0);
    {
        Generator at_its_end = hold(Counted());
        at_its_end.resume();
        REQUIRE(at_its_end.resume() == Next::end);
        REQUIRE(Counted::alive == 1);  // The parameter lives as long as the frame.
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("generator: the one that it is moved to owns the frame", "[promise]") {
    REQUIRE(Counted::alive == 0);
    {
        Generator old = hold(Counted());
        {
            Generator now = std::move(old);
            REQUIRE(now.resume() == Next::event);
            REQUIRE(Counted::alive == 2);
        }
        REQUIRE(Counted::alive == 0);
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("generator: an exception leaves the turn in which it is thrown, and the frame stays",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    {
        Generator turns = fail_after_a_turn(Counted());
        REQUIRE(turns.resume() == Next::turn);
        REQUIRE(Counted::alive == 2);
        REQUIRE_THROWS_AS(turns.resume(), std::runtime_error);
        REQUIRE(Counted::alive == 1);  // The local variable is gone. The parameter is the frame's.
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("a client whom epoll cannot take is turned away, and the others stay", "[promise]") {
    require_strace();
    require_turned_away_without_room_in_epoll();
}

TEST_CASE("memory is needed when a client comes, and in no turn of its echo", "[promise]") {
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.fail_allocation(1);
    const std::string much(200'000, 'x');
    REQUIRE(client.exchange(much) == much);
    REQUIRE(server.diagnostics().empty());
    const Client next(server);
    wait_until("an allocation has failed", [&] { return !server.diagnostics().empty(); });
}

// It can give up its turn. It cannot say whom it waits for.
TEST_CASE("generator: it goes on when its own descriptor is ready, and not when another one is",
          "[limit]") {
    Reactor reactor;
    const Pair own;
    const Pair other;
    std::string heard;
    Generator turns = hear(other.ours, heard);
    reactor.watch(own.ours, [&] { return turns.resume(); });
    int events_of_other = 0;
    reactor.watch(other.ours, [&] {
        ++events_of_other;
        return Next::event;
    });
    reactor.run_once();  // New sockets are writable.
    REQUIRE(events_of_other == 1);
    say(other.theirs, "hello");
    reactor.run_once();
    REQUIRE(events_of_other == 2);  // The reactor knows that it has come,
    REQUIRE(heard.empty());         // and has nobody to tell.
    say(own.theirs, "!");
    reactor.run_once();
    REQUIRE(heard == "hello");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}

TEST_CASE("a client that always has more to send has four steps, and then the others have theirs",
          "[promise]") {
    require_strace();
    const Server server;
    constexpr int plenty = 4 * 1024 * 1024;
    Client busy(server, {.receive_buffer = plenty, .send_buffer = plenty});
    const std::string much = random_bytes(plenty);
    const bool same = busy.exchange(much) == much;
    REQUIRE(same);  // And the server's kernel has room for more than one read from now on.
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,sendto");
    server.stop_all();
    const std::string sent = send_until_server_is_held_back(busy);
    busy.half_close();
    server.continue_all();
    const bool all = busy.receive_to_end() == sent;
    REQUIRE(all);
    int most = 0;
    int steps = 0;
    for (const std::string& call : trace.lines()) {
        steps = call.starts_with("sendto(") && call.find(" = -1 ") == call.npos ? steps + 1 : 0;
        most = std::max(most, steps);
    }
    REQUIRE(most == 4);
}
