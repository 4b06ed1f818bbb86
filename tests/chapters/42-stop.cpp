// Chapter 42: a signal stops the server: nobody new, and those who are there may finish.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/reactor.hpp"
#include "runtime/signals.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using namespace std::chrono_literals;

namespace {

constexpr const char* a_day = "86400000";  // milliseconds

StartSettings with_drain_timeout(const std::string& milliseconds) {
    return {.arguments = {"--port", "0", "--drain-timeout", milliseconds}};
}

Task<> note_signals(Reactor& reactor, Fd fd, int count, std::vector<int>& caught) {
    Signals signals(reactor, std::move(fd));
    for (int i = 0; i < count; ++i) {
        const int number = co_await signals.next();
        caught.push_back(number);
    }
}

Task<> end_after(Reactor& reactor, std::chrono::milliseconds time) {
    co_await reactor.sleep_for(time);
}

/// How a server ends at SIGTERM whose client has not read its echo yet, and how much of it the
/// client gets.
struct End {
    std::string exit;
    bool has_all = false;

    bool operator==(const End&) const = default;
};

End stop_beside_a_slow_client(Server& server) {
    Client slow(server, {.receive_buffer = 16 * 1024});
    const std::string sent = send_until_server_is_held_back(slow);
    slow.half_close();
    server.signal(SIGTERM);
    std::string received;
    try {
        received = slow.receive_to_end();
    } catch (const std::exception&) {
        // A reset.
    }
    End end;
    end.has_all = received == sent;
    end.exit = server.wait_for_exit();
    return end;
}

}  // namespace

TEST_CASE("a client that has said all has all of its echo, although the server was told to stop",
          "[why]") {
    require_io_uring();
    Server before(chapter_before());
    const End killed = stop_beside_a_slow_client(before);
    CHECK(killed.exit == "killed by SIGTERM");
    CHECK_FALSE(killed.has_all);
    Server server(with_drain_timeout(a_day));
    REQUIRE(stop_beside_a_slow_client(server) == End{.exit = "exit 0", .has_all = true});
}

TEST_CASE("a stop during the pause after a shortage is not lost", "[promise]") {
    require_io_uring();
    StartSettings settings = with_descriptors_for(0);
    settings.arguments = with_drain_timeout(a_day).arguments;
    Server server(settings);
    const Client waits(server);
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("a stop while all places are taken is not lost", "[promise]") {
    require_io_uring();
    Server server({.arguments = {"--port", "0", "--drain-timeout", a_day, "--max-clients", "1"}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const Client waits(server);
    wait_until_at_rest(server);
    server.signal(SIGTERM);
    REQUIRE(client.exchange("still there?") == "still there?");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("a stop is not held up by a report that nobody reads", "[promise]") {
    require_io_uring();
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const Fd reading_end{ends[0]};
    const Fd writing_end{ends[1]};
    // Full to the last byte.
    REQUIRE(::fcntl(writing_end.get(), F_SETFL, O_NONBLOCK) == 0);
    const std::string filler(4096, '#');
    while (::write(writing_end.get(), filler.data(), filler.size()) > 0) {
    }
    while (::write(writing_end.get(), "#", 1) > 0) {
    }
    REQUIRE(::fcntl(writing_end.get(), F_SETFL, 0) == 0);
    StartSettings settings = with_drain_timeout("200");
    settings.stderr_descriptor = writing_end.get();
    Server server(settings);
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");  // "drain: 1 evicted" finds no room.
}

TEST_CASE("a signal that is ignored when the server starts stays so", "[promise]") {
    require_io_uring();
    StartSettings settings = with_drain_timeout(a_day);
    settings.ignored_signals = {SIGINT};  // As a shell starts what shall live on in the background.
    Server server(settings);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGINT);
    wait_until_at_rest(server);
    Client another(server);
    REQUIRE(another.exchange("still there?") == "still there?");
    server.signal(SIGTERM);
    client.half_close();
    another.half_close();
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("nobody is accepted any more once the server has been told to stop", "[promise]") {
    require_io_uring();
    Server server(with_drain_timeout(a_day));
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.signal(SIGTERM);
    wait_until("the listener is closed", [&] {
        try {
            const Client another(server);
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::connection_refused;
        }
    });
    REQUIRE(client.exchange("still there?") == "still there?");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("signals: one is awaited, and does nothing else", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::vector<int> caught;
    reactor.start(note_signals(reactor, hold_signals({SIGUSR1, SIGUSR2}), 2, caught));
    reactor.start([](Reactor& loop, const std::vector<int>& so_far) -> Task<> {
        co_await loop.sleep_for(1ms);
        ::kill(::getpid(), SIGUSR2);
        for (int round = 0; round < 1000 && so_far.empty(); ++round) {
            co_await loop.sleep_for(1ms);
        }
        ::kill(::getpid(), SIGUSR1);
    }(reactor, caught));
    reactor.run();
    release_signals({SIGUSR1, SIGUSR2});
    REQUIRE(caught == std::vector<int>{SIGUSR2, SIGUSR1});
}

TEST_CASE("signals: one that has come before it is awaited is not lost", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::vector<int> caught;
    Fd held = hold_signals({SIGUSR1});
    ::kill(::getpid(), SIGUSR1);
    reactor.start(note_signals(reactor, std::move(held), 1, caught));
    reactor.run();
    release_signals({SIGUSR1});
    REQUIRE(caught == std::vector<int>{SIGUSR1});
}

TEST_CASE("signals: a coroutine that is destroyed while it waits takes none", "[promise]") {
    require_io_uring();
    Reactor reactor;
    std::vector<int> caught;
    const Fd held = hold_signals({SIGUSR1});
    {
        TaskGroup group = reactor.group();
        group.start(note_signals(reactor, Fd{check(::dup(held.get()), "dup")}, 1, caught));
        reactor.start(end_after(reactor, 1ms));
        reactor.run();
        ::kill(::getpid(), SIGUSR1);
    }
    reactor.start(note_signals(reactor, Fd{check(::dup(held.get()), "dup")}, 1, caught));
    reactor.run();
    release_signals({SIGUSR1});
    REQUIRE(caught == std::vector<int>{SIGUSR1});
}

TEST_CASE("an idle client holds up the end of the server, until the time is over", "[limit]") {
    require_io_uring();
    Server server(with_drain_timeout("300"));
    Client idle(server);
    REQUIRE(idle.exchange("hello") == "hello");
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() == "drain: 1 evicted\n");
}

TEST_CASE("whoever stands in the accept queue when the server stops is reset", "[limit]") {
    require_io_uring();
    Server server(with_drain_timeout("300"));
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    server.signal(SIGTERM);
    server.continue_all();
    REQUIRE(server.wait_for_exit() == "exit 0");
    int resets = 0;
    for (Client& client : clients) {
        try {
            client.receive_to_end();
        } catch (const std::system_error& error) {
            resets += error.code() == std::errc::connection_reset ? 1 : 0;
        }
    }
    REQUIRE(resets >= 1);  // One may have been accepted, by the accept that was in flight.
}
