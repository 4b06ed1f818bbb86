// Chapter 47: bytes stay in the kernel's buffer until they are sent; who must wait copies them out.

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/bytes.hpp"
#include "runtime/deadlines.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using namespace std::chrono_literals;

namespace {

Fd null_device() {
    return Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
}

/// A number of bytes, or that of an error.
Task<> note_bytes(Socket& socket, std::string& noted) {
    try {
        const Bytes bytes = co_await socket.read();
        noted += std::to_string(bytes.get().size());
    } catch (const std::system_error& error) {
        noted += "error " + std::to_string(error.code().value());
    }
}

/// Reads once and sends it back, with the same words.
Task<> echo_once(Socket& socket, std::string& noted) {
    try {
        Bytes bytes = co_await socket.read();
        noted += std::to_string(co_await socket.send(bytes));
    } catch (const std::system_error& error) {
        noted += "error " + std::to_string(error.code().value());
    }
}

/// What a client gets that sends while the only buffer has the bytes of one that does not read.
std::string behind_a_stalled_reader() {
    Reactor reactor(1, 16);
    std::array<int, 2> stalled{};
    std::array<int, 2> other{};
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stalled.data()), "socketpair");
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other.data()), "socketpair");
    const Fd their_stalled{stalled[1]};
    const Fd their_other{other[1]};
    const std::string much(1 << 20, 'x');
    while (::send(stalled[0], much.data(), much.size(), MSG_DONTWAIT) > 0) {  // No room for more.
    }
    check(::send(stalled[1], much.data(), 32, 0), "send");  // What two buffers hold.
    check(::send(other[1], "hello", 5, 0), "send");
    Socket first(reactor, Fd{stalled[0]});
    Socket second(reactor, Fd{other[0]});
    std::string noted;
    reactor.start([](Socket& socket, std::string& notes) -> Task<> {
        Bytes bytes = co_await socket.read();
        try {
            co_await socket.send(bytes);
        } catch (const std::system_error& error) {
            notes += ", then the stalled one " + std::to_string(error.code().value());
        }
    }(first, noted));
    reactor.start([](Socket& socket, Socket& ends, std::string& notes) -> Task<> {
        const Bytes bytes = co_await socket.read();
        notes += bytes.get().size() == 5 ? "served" : "something else";
        ends.cancel();
    }(second, first, noted));
    reactor.run();
    return noted;
}

}  // namespace

TEST_CASE("an echo takes no memory, where each has taken some", "[why]") {
    require_io_uring();
    require_failing_allocations();
    REQUIRE(memory_taken_by_ten_echoes(chapter_before()) == "one for each echo");
    REQUIRE(memory_taken_by_ten_echoes(chapter_under_test()) == "none");
}

TEST_CASE("without a buffer reads stand in line, where each was asked for again in every round",
          "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(entries_for_forty_with_one_buffer(chapter_before()) == "many for each");
    REQUIRE(entries_for_forty_with_one_buffer(chapter_under_test()) == "a few for each");
}

TEST_CASE("silent clients still keep no buffer", "[promise]") {
    require_io_uring();
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "silent clients keep no buffer");
}

TEST_CASE("a client that stalls holds its bytes, and no buffer of the others", "[promise]") {
    require_io_uring();
    REQUIRE(behind_a_stalled_reader() == "served, then the stalled one 125");
}

TEST_CASE("fake ring: bytes are on loan as long as their value lives", "[promise]") {
    FakeRing fake;
    Reactor reactor(2, 16);
    Socket socket(reactor, null_device());
    fake.when_asleep = [&] { fake.complete(IORING_OP_RECV, 5); };
    unsigned free = 99;
    unsigned free_when_moved = 99;
    bool is_on_loan = false;
    reactor.start([](Socket& from, const FakeRing& ring, unsigned& now, unsigned& moved,
                     bool& loan) -> Task<> {
        Bytes bytes = co_await from.read();
        loan = bytes.is_on_loan();
        now = ring.buffers();
        const Bytes same = std::move(bytes);
        moved = ring.buffers();
    }(socket, fake, free, free_when_moved, is_on_loan));
    reactor.run();
    REQUIRE(is_on_loan);
    REQUIRE(free == 1);
    REQUIRE(free_when_moved == 1);
    REQUIRE(fake.buffers() == 2);
}

TEST_CASE(
    "fake ring: bytes on loan are sent at once or not at all, and may wait when they are copied",
    "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket socket(reactor, null_device());
    std::string noted;
    int asleep = 0;
    std::uint64_t address = 0;
    fake.when_asleep = [&] {
        switch (asleep++) {
            case 0: fake.complete(IORING_OP_RECV, 5); break;
            case 1: {
                const io_uring_sqe& entry = fake.find(IORING_OP_SEND);
                REQUIRE((entry.msg_flags & MSG_DONTWAIT) != 0);
                REQUIRE(entry.len == 5);
                REQUIRE(fake.buffers() == 0);
                address = entry.addr;
                fake.complete(IORING_OP_SEND, -EAGAIN);
                break;
            }
            default: {
                const io_uring_sqe& entry = fake.find(IORING_OP_SEND);
                REQUIRE((entry.msg_flags & MSG_DONTWAIT) == 0);
                REQUIRE(entry.len == 5);
                REQUIRE(entry.addr != address);
                REQUIRE(fake.buffers() == 1);
                fake.complete(IORING_OP_SEND, 5);
            }
        }
    };
    reactor.start(echo_once(socket, noted));
    reactor.run();
    REQUIRE(noted == "5");
    REQUIRE(asleep == 3);
}

TEST_CASE("fake ring: a part that is sent leaves the rest on loan", "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket socket(reactor, null_device());
    int asleep = 0;
    bool is_on_loan = false;
    std::size_t left = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            fake.complete(IORING_OP_RECV, 5);
        } else {
            fake.complete(IORING_OP_SEND, 2);
        }
    };
    reactor.start([](Socket& client, bool& loan, std::size_t& rest) -> Task<> {
        Bytes bytes = co_await client.read();
        bytes.drop(co_await client.send(bytes));
        loan = bytes.is_on_loan();
        rest = bytes.get().size();
    }(socket, is_on_loan, left));
    reactor.run();
    REQUIRE(is_on_loan);
    REQUIRE(left == 3);
}

TEST_CASE("fake ring: bytes that must wait, and find no memory, are a failed send", "[promise]") {
    FakeRing fake;
    fake.in_flight.reserve(10);
    Reactor reactor(1, 16);
    Socket socket(reactor, null_device());
    std::string noted;
    int asleep = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            fake.complete(IORING_OP_RECV, 5);
        } else {
            allocations_to_fail = 1;
            fake.complete(IORING_OP_SEND, -EAGAIN);
        }
    };
    reactor.start(echo_once(socket, noted));
    reactor.run();
    REQUIRE(noted == "error 12");  // ENOMEM
    REQUIRE(fake.in_flight.empty());
    REQUIRE(fake.buffers() == 1);
}

TEST_CASE("fake ring: reads without a buffer stand in line, and go on in order when there is one",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket first(reactor, null_device());
    Socket second(reactor, null_device());
    Socket third(reactor, null_device());
    std::string noted;
    std::uint64_t of_second = 0;
    std::uint64_t of_third = 0;
    int asleep = 0;
    fake.when_asleep = [&] {
        switch (asleep++) {
            case 0: {
                const std::uint64_t of_first = fake.in_flight[0].user_data;
                of_second = fake.in_flight[1].user_data;
                of_third = fake.in_flight[2].user_data;
                fake.complete(of_first, 5);
                fake.complete(of_second, -ENOBUFS);
                fake.complete(of_third, -ENOBUFS);
                break;
            }
            case 1:  // The first one has the buffer, and waits until it is sent.
                REQUIRE(fake.count(IORING_OP_RECV) == 0);
                fake.complete(IORING_OP_SEND, 5);
                break;
            case 2:  // As long as the buffer is free, there is no harm in asking for more.
                REQUIRE(fake.in_flight.at(0).user_data == of_second);
                REQUIRE(fake.in_flight.at(1).user_data == of_third);
                fake.complete(of_second, 6);
                fake.complete(of_third, -ENOBUFS);
                break;
            case 3: fake.complete(IORING_OP_SEND, 6); break;
            case 4:
                REQUIRE(fake.find(IORING_OP_RECV).user_data == of_third);
                fake.complete(IORING_OP_RECV, 7);
                break;
            default: fake.complete(IORING_OP_SEND, 7);
        }
    };
    reactor.start(echo_once(first, noted));
    reactor.start(echo_once(second, noted));
    reactor.start(echo_once(third, noted));
    reactor.run();
    REQUIRE(noted == "567");
}

TEST_CASE("fake ring: the thread does not sleep while there are a free buffer and a read for it",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket first(reactor, null_device());
    Socket second(reactor, null_device());
    Socket silent(reactor, null_device());
    std::string noted;
    int asleep = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            fake.complete(fake.in_flight[2].user_data, 5);
            fake.complete(fake.in_flight[1].user_data, -ENOBUFS);
            fake.complete(fake.in_flight[0].user_data, -ENOBUFS);
        } else {
            // The first to go on has had nothing to read, and the other was handed over, too.
            REQUIRE(fake.count(IORING_OP_RECV) == 2);
            REQUIRE(fake.buffers() == 1);
            fake.complete(fake.in_flight[1].user_data, 6);
            fake.complete(fake.in_flight[0].user_data, 0);
        }
    };
    reactor.start(note_bytes(silent, noted));
    reactor.start(note_bytes(second, noted));
    reactor.start(note_bytes(first, noted));
    reactor.run();
    REQUIRE(asleep == 2);
    REQUIRE(noted == "560");
}

TEST_CASE("fake ring: a read that is cancelled, or destroyed, in the line for a buffer leaves it",
          "[promise]") {
    FakeRing fake;
    const bool is_destroyed = GENERATE(false, true);
    std::string noted;
    std::string of_other;
    {
        Reactor reactor(1, 16);
        Socket first(reactor, null_device());
        Socket second(reactor, null_device());
        TaskGroup group = reactor.group();
        int asleep = 0;
        fake.when_asleep = [&] {
            if (asleep++ == 0) {
                fake.complete(fake.in_flight[0].user_data, 5);
                fake.complete(fake.in_flight[1].user_data, -ENOBUFS);
            } else {
                REQUIRE(fake.count(IORING_OP_RECV) == 0);
                if (is_destroyed) {
                    group.clear();
                } else {
                    second.cancel();
                }
                fake.complete(IORING_OP_SEND, 5);
            }
        };
        reactor.start(echo_once(first, of_other));
        group.start(note_bytes(second, noted));
        reactor.run();
        for (int i = 0; i < 3 && noted.empty() && !is_destroyed; ++i) {
            reactor.start([](Reactor& loop) -> Task<> { co_await loop.sleep_for(0ms); }(reactor));
            reactor.run();
        }
    }
    REQUIRE(of_other == "5");
    REQUIRE(noted == (is_destroyed ? "" : "error 125"));
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("fake ring: a buffer with bytes that nobody has been told of is given back",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(2, 16);
    Socket socket(reactor, null_device());
    Socket other(reactor, null_device());
    std::string noted;
    fake.when_asleep = [&] {
        fake.complete(IORING_OP_RECV, 5);  // The first one throws, and the second is not resumed.
        fake.complete(IORING_OP_RECV, 5);
    };
    {
        TaskGroup group = reactor.group();
        group.start([](Socket& from) -> Task<> {
            co_await from.read();
            throw std::runtime_error("enough");
        }(other));
        group.start(note_bytes(socket, noted));
        reactor.start([](TaskGroup& all) -> Task<> { co_await all.below(1); }(group));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    REQUIRE(fake.buffers() == 2);
}

TEST_CASE("bytes of a client that reads slowly are copied, once for each buffer", "[limit]") {
    require_io_uring();
    require_failing_allocations();
    const Server server({.arguments = {"--port", "0"}, .allocations_can_fail = true});
    Client client(server, {.receive_buffer = 16 * 1024});
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    constexpr int many = 1'000'000;
    server.fail_allocation(many);
    send_until_server_is_held_back(client);
    REQUIRE(many - server.allocations_left() >= 1);
}

TEST_CASE("an echo takes two entries still, one of them for the receive", "[limit]") {
    require_io_uring();
    require_strace();
    REQUIRE(entries_for_ten_echoes(chapter_under_test()) == "two for each echo");
}
