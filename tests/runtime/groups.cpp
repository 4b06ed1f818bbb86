// From `drain` on: tasks have an owner that waits for them; the input of a socket and the queue
// of a listener can be ended from our side.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "address.hpp"
#include "io.hpp"
#include "listener.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"
#include "support/proc.hpp"
#include "task.hpp"

using namespace std::chrono_literals;

namespace {

Task<> sleep(IoContext& io, std::chrono::milliseconds time) {
    const Counted counted;
    co_await io.sleep_for(time);
}

/// What is read up to the end of the file.
Task<> read_all(Socket& socket, std::string& all) {
    std::array<char, 16> buffer{};
    while (true) {
        const std::size_t received = co_await read_into(socket, buffer);
        if (received == 0) {
            co_return;
        }
        all.append(buffer.data(), received);
    }
}

}  // namespace

TEST_CASE("group: whoever waits goes on when the last task has ended", "[promise]") {
    IoContext io = make_io(16);
    bool all_ended = false;
    io.start([](IoContext& context, bool& ended) -> Task<> {
        TaskGroup group(context);
        for (const auto time : {1ms, 20ms, 5ms}) {
            group.start(sleep(context, time));
        }
        ended = co_await group.ended(1h);
        REQUIRE(Counted::alive == 0);
        REQUIRE(group.size() == 0);
    }(io, all_ended));
    io.run();
    REQUIRE(all_ended);
}

TEST_CASE("group: whoever waits does not wait for longer than he has said", "[promise]") {
    IoContext io = make_io(16);
    bool all_ended = true;
    std::size_t left = 0;
    io.start([](IoContext& context, bool& ended, std::size_t& count) -> Task<> {
        TaskGroup group(context);
        group.start(sleep(context, 1h));
        group.start(sleep(context, 1ms));
        group.start(sleep(context, 1h));
        ended = co_await group.ended(20ms);
        count = group.size();
    }(io, all_ended, left));
    io.run();
    REQUIRE_FALSE(all_ended);
    REQUIRE(left == 2);
    REQUIRE(Counted::alive == 0);  // Destroyed with their group.
}

TEST_CASE("group: an empty one has ended", "[promise]") {
    IoContext io = make_io(16);
    bool all_ended = false;
    io.start([](IoContext& context, bool& ended) -> Task<> {
        TaskGroup group(context);
        ended = co_await group.ended(1h);
    }(io, all_ended));
    io.run();
    REQUIRE(all_ended);
}

TEST_CASE("group: a task can start others of its group", "[promise]") {
    IoContext io = make_io(16);
    bool all_ended = false;
    io.start([](IoContext& context, bool& ended) -> Task<> {
        TaskGroup group(context);
        group.start([](IoContext& inner, TaskGroup& own) -> Task<> {
            co_await inner.sleep_for(1ms);
            own.start(sleep(inner, 10ms));
        }(context, group));
        ended = co_await group.ended(1h);
        REQUIRE(Counted::alive == 0);
    }(io, all_ended));
    io.run();
    REQUIRE(all_ended);
}

TEST_CASE("group: what one of its tasks throws leaves run()", "[promise]") {
    {
        IoContext io = make_io(16);
        io.start([](IoContext& context) -> Task<> {
            TaskGroup group(context);
            group.start(sleep(context, 1h));
            group.start([](IoContext& inner) -> Task<> {
                co_await inner.sleep_for(1ms);
                throw std::runtime_error("enough");
            }(context));
            co_await group.ended(1h);
        }(io));
        REQUIRE_THROWS_AS(io.run(), std::runtime_error);
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("input: what had come is read, then the end of the file, then what came later",
          "[promise]") {
    IoContext io = make_io(16);
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    const std::string before(100, 'a');
    say(pair.theirs, before);
    socket.end_input();
    say(pair.theirs, "later");
    pair.theirs.close();
    std::string first;
    std::string second;
    io.start([](Socket& from, std::string& all, std::string& rest) -> Task<> {
        co_await read_all(from, all);
        co_await read_all(from, rest);
    }(socket, first, second));
    io.run();
    REQUIRE(first == before);
    REQUIRE(second == "later");
}

TEST_CASE("input: whoever waits for bytes finds the end of the file", "[promise]") {
    IoContext io = make_io(16);
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    std::string all;
    bool has_ended = false;
    io.start([](Socket& from, std::string& bytes, bool& ended) -> Task<> {
        co_await read_all(from, bytes);
        ended = true;
    }(socket, all, has_ended));
    io.start([](IoContext& context, Socket& ends) -> Task<> {
        co_await context.sleep_for(1ms);
        ends.end_input();
    }(io, socket));
    io.run();
    REQUIRE(has_ended);
    REQUIRE(all.empty());
}

TEST_CASE("input: whoever sends at that moment sends on", "[promise]") {
    IoContext io = make_io(16);
    Pair pair;
    Socket socket(io, std::move(pair.ours));
    const std::string sent(1024 * 1024, 'x');  // More than there is room for.
    std::size_t sent_in_all = 0;
    io.start([](Socket& to, const std::string& bytes, std::size_t& count) -> Task<> {
        while (count < bytes.size()) {
            count += co_await send_from(to, std::span(bytes).subspan(count));
        }
        to.end_output();
    }(socket, sent, sent_in_all));
    std::size_t received = 0;
    io.start([](IoContext& context, Socket& ends, const Fd& theirs, std::size_t& count) -> Task<> {
        co_await context.sleep_for(1ms);
        ends.end_input();
        std::array<char, 4096> buffer{};
        for (ssize_t got = 1; got != 0;) {
            got = ::recv(theirs.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got > 0) {
                count += static_cast<std::size_t>(got);
            } else {
                co_await context.sleep_for(1ms);
            }
        }
    }(io, socket, pair.theirs, received));
    io.run();
    REQUIRE(sent_in_all == sent.size());
    REQUIRE(received == sent.size());
}

TEST_CASE("queue: those in it are accepted, and behind them nobody", "[promise]") {
    IoContext io = make_io(16);
    Fd listener = listen_on({.port = 0});
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    std::vector<Fd> clients;
    const auto connect = [&clients, &address](int flags) {
        clients.emplace_back(
            check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"));
        return ::connect(clients.back().get(), address.get(), address.length);
    };
    Acceptor acceptor(io, std::move(listener));
    for (int i = 0; i < 3; ++i) {
        REQUIRE(connect(0) == 0);
    }
    acceptor.end_queue();
    // Its first packet is dropped. The kernel tries again after a second.
    REQUIRE(connect(SOCK_NONBLOCK) == -1);
    REQUIRE(errno == EINPROGRESS);
    std::vector<int> results;
    io.start([](Acceptor& from, std::vector<int>& all) -> Task<> {
        std::vector<Fd> accepted;
        int result = 0;
        while (result >= 0) {
            Address peer;
            result = co_await from.accept(peer);
            all.push_back(result);
            if (result >= 0) {
                accepted.emplace_back(result);
            }
        }
    }(acceptor, results));
    io.run();
    REQUIRE(results.size() == 4);
    REQUIRE(results.back() == -EAGAIN);
}

TEST_CASE("queue: whoever waits for a client learns that none will come", "[promise]") {
    IoContext io = make_io(16);
    Acceptor acceptor(io, listen_on({.port = 0}));
    int result = 0;
    io.start([](Acceptor& from, int& answer) -> Task<> {
        Address peer;
        answer = co_await from.accept(peer);
    }(acceptor, result));
    io.start([](IoContext& context, Acceptor& ends) -> Task<> {
        co_await context.sleep_for(1ms);
        ends.end_queue();
    }(io, acceptor));
    io.run();
    REQUIRE(result == -EAGAIN);
}
