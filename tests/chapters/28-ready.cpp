// Chapter 28: an operation knows when its call would find nothing, and does not make it.

#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/operation.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// Knows the first two times that it must wait, and sees to it that an event comes all the same.
class WaitTwice : public Operation {
public:
    WaitTwice(const WatchedFd& ours, const Fd& theirs, std::string& noted)
        : Operation(ours), theirs_(theirs), noted_(noted) {}

    void await_resume() const {}

private:
    ssize_t call() override {
        noted_ += "call ";
        return 0;
    }

    bool must_wait() const override {
        noted_ += "must wait? ";
        say(theirs_, "x");
        return std::count(noted_.begin(), noted_.end(), '?') < 3;
    }

    const Fd& theirs_;
    std::string& noted_;
};

Task<> wait_twice(Reactor& reactor, Pair pair, std::string& noted) {
    const Socket socket(reactor, std::move(pair.ours));
    co_await WaitTwice(socket, pair.theirs, noted);
}

/// What is known of the socket when something has happened: "input", "mark", or both.
std::string known(const Socket& socket) {
    const std::string input = socket.state().has_input ? "input " : "";
    return input + (socket.state().has_mark ? "mark" : "");
}

/// Notes what is known after each step. A pause ends with an event.
Task<> read_in_pieces(Reactor& reactor, Pair pair, std::vector<std::string>& noted) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 3> buffer{};
    noted.push_back("at first: " + known(socket));
    co_await socket.pause();
    noted.push_back("room to send: " + known(socket));
    say(pair.theirs, "hello");
    co_await socket.pause();
    noted.push_back("five bytes: " + known(socket));
    std::size_t count = co_await socket.read(buffer);
    noted.push_back("read " + std::to_string(count) + ": " + known(socket));
    count = co_await socket.read(buffer);
    noted.push_back("read " + std::to_string(count) + ": " + known(socket));
}

Task<> read_before_the_end(Reactor& reactor, Pair pair, std::vector<std::string>& noted) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 64> buffer{};
    say(pair.theirs, "goodbye");
    check(::shutdown(pair.theirs.get(), SHUT_WR), "shutdown");
    co_await socket.pause();
    noted.push_back("the last bytes: " + known(socket));
    const std::size_t count = co_await socket.read(buffer);
    noted.push_back("read " + std::to_string(count) + ": " + known(socket));
}

/// How many steps are left of this turn. Spends them.
int spend_all(Reactor& reactor) {
    int steps = 0;
    while (reactor.spend_step()) {
        ++steps;
    }
    return steps;
}

Task<> spend_a_turn(Reactor& reactor, std::vector<int>& spent) {
    spent.push_back(spend_all(reactor));
    co_return;
}

Task<> begin_two_others(Reactor& reactor, std::vector<int>& spent) {
    reactor.spend_step();
    reactor.start(spend_a_turn(reactor, spent));
    reactor.spend_step();
    reactor.start(spend_a_turn(reactor, spent));
    spent.push_back(spend_all(reactor));
    co_return;
}

}  // namespace

TEST_CASE("before, an echo cost four system calls, and now it costs three", "[why]") {
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 40 || before == 39));
    REQUIRE((now == 30 || now == 29));  // epoll_wait, read, sendto
}

TEST_CASE("operation: as long as it is known that it must wait, no call is made", "[promise]") {
    std::string noted;
    Reactor reactor;
    reactor.start(wait_twice(reactor, Pair(), noted));
    reactor.run();
    REQUIRE(noted == "must wait? must wait? must wait? call ");
}

TEST_CASE("watched: an event tells of input, and a read that finds less has taken all of it",
          "[promise]") {
    std::vector<std::string> noted;
    Reactor reactor;
    reactor.start(read_in_pieces(reactor, Pair(), noted));
    reactor.run();
    REQUIRE(noted == std::vector<std::string>{"at first: ", "room to send: ", "five bytes: input ",
                                              "read 3: input ", "read 2: "});
}

TEST_CASE("watched: in front of an end that has been announced, no read has taken all",
          "[promise]") {
    std::vector<std::string> noted;
    Reactor reactor;
    reactor.start(read_before_the_end(reactor, Pair(), noted));
    reactor.run();
    REQUIRE(noted == std::vector<std::string>{"the last bytes: input mark", "read 7: input mark"});
}

TEST_CASE("start: what is begun has a turn of its own, and the one who begins it keeps the rest",
          "[promise]") {
    std::vector<int> spent;
    Reactor reactor;
    reactor.start(begin_two_others(reactor, spent));
    REQUIRE(spent == std::vector<int>{7, 7, 5});  // Of eight, which the last step would be.
}

TEST_CASE("bytes behind an urgent one are seen, although the read before them was cut short",
          "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("abc");
    client.send_urgent('!');
    client.send("def");
    server.continue_all();
    REQUIRE(client.receive(7) == "abc!def");
    REQUIRE(client.exchange("still there?") == "still there?");
}

TEST_CASE("an end of input that has come with the last bytes is seen", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("goodbye");
    client.half_close();
    server.continue_all();
    REQUIRE(client.receive_to_end() == "goodbye");
}

TEST_CASE("a client that sends exactly what one read takes, and no more, is not kept waiting",
          "[promise]") {
    const Server server;
    Client client(server);
    const std::string many = random_bytes(4'000'000);
    const bool same = client.exchange(many) == many;
    REQUIRE(same);  // And the server's kernel has room for more than one read from now on.
    for (const std::size_t size : {65535, 65536, 65537, 131072, 131073}) {
        CAPTURE(size);
        const std::string bytes = random_bytes(size);
        server.stop_all();  // So that a read finds all there is.
        client.send(bytes);
        server.continue_all();
        const bool same_again = client.receive(size) == bytes;
        REQUIRE(same_again);
    }
}

TEST_CASE("a silent client costs no read before its first bytes come", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "read,accept4");
    Client client(server);
    wait_until_at_rest(server);
    REQUIRE(trace.count("accept4") >= 1);
    REQUIRE(trace.count("read") == 0);
}

TEST_CASE("clients that come in one go are taken in eight at a time", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    std::vector<int> taken = {0};  // In each round.
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("epoll_")) {
            taken.push_back(0);
        } else if (call.find(" = -1 ") == std::string::npos) {
            ++taken.back();
        }
    }
    REQUIRE(*std::max_element(taken.begin(), taken.end()) == 8);
}

TEST_CASE("a client that has once sent an urgent byte costs a read that finds nothing again",
          "[limit]") {
    require_strace();
    const Server server;
    Client client(server);
    client.send_urgent('!');
    REQUIRE(client.receive(1) == "!");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "read");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    REQUIRE(trace.count("read") == 20);
}

TEST_CASE("with a shortage and others who are busy, accept() is asked again and again", "[limit]") {
    require_strace();
    const Server server;
    Client busy(server);
    REQUIRE(busy.exchange("hello") == "hello");
    const FaultInjection shortage(server, "accept4:error=EMFILE");
    Client waits(server);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(busy.exchange("hello") == "hello");
    }
    REQUIRE(shortage.count() >= 50);  // Each round asks: a pause ends with whatever happens.
}

namespace {
/// Where a coroutine can be left, and resumed by the test.
struct Stop {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { stopped = frame; }
    void await_resume() const {}

    std::coroutine_handle<> stopped;
};

/// Reads a byte, and stops behind the statement.
Task<> read_and_stop(const Socket& socket, int& reads, Stop& behind) {
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    ++reads;
    co_await behind;
}

/// Ends the loop behind its first round: there is something to read from the beginning.
Task<> end_with_a_byte(Reactor& reactor, Pair pair) {
    const Socket socket(reactor, std::move(pair.ours));
    say(pair.theirs, "x");
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    throw std::runtime_error("the round is over");
}

void run_a_round(Reactor& reactor) {
    reactor.start(end_with_a_byte(reactor, Pair()));
    REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
}
}  // namespace
TEST_CASE("an event that comes while a coroutine waits for something else resumes nobody",
          "[promise]") {
    Stop behind;
    int reads = 0;
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(read_and_stop(socket, reads, behind));
    run_a_round(reactor);
    say(pair.theirs, "one");
    run_a_round(reactor);
    REQUIRE(reads == 1);
    REQUIRE(behind.stopped);
    behind.stopped = nullptr;
    say(pair.theirs, "two");
    run_a_round(reactor);
    REQUIRE_FALSE(behind.stopped);  // The read has ended. It is not made again, and wakes nobody.
    REQUIRE(reads == 1);
    std::array<char, 8> bytes{};
    REQUIRE(::read(socket.fd().get(), bytes.data(), bytes.size()) == 5);
}

TEST_CASE("a client whom epoll cannot take ends alone", "[promise]") {
    require_strace();
    const Server server;
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::Matches(
                     "client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}
