// Chapter 45: a read waits without memory, and takes some when something has come.

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/bytes.hpp"
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

using Catch::Matchers::EndsWith;

namespace {

Fd null_device() {
    return Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
}

/// A number of bytes, or that of an error.
Task<> note_bytes(Socket& socket, std::string& noted) {
    try {
        const Bytes bytes = co_await socket.read();
        noted = std::to_string(bytes.get().size());
    } catch (const std::system_error& error) {
        noted = "error " + std::to_string(error.code().value());
    }
}

}  // namespace

TEST_CASE("silent clients keep no buffer, where each has kept one before", "[why]") {
    require_io_uring();
    REQUIRE(buffers_of_silent_clients(chapter_before()) == "each silent client keeps a buffer");
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "silent clients keep no buffer");
}

TEST_CASE("a client that has sent nothing costs no addresses for a buffer either", "[promise]") {
    require_io_uring();
    constexpr int count = 500;
    const Server server;
    const Client first(server);
    wait_until_at_rest(server);
    const std::size_t before = proc::reserved_bytes(server.pid());
    const std::vector<Client> clients = connect_clients(server, count);
    wait_until_at_rest(server);
    REQUIRE((proc::reserved_bytes(server.pid()) - before) / count < 8 * 1024);
}

TEST_CASE("fake ring: a read takes memory when something has come, and not before", "[promise]") {
    FakeRing fake;
    fake.polls_are_ready = false;
    fake.in_flight.reserve(10);
    Reactor reactor;
    Socket socket(reactor, null_device());
    std::string noted;
    int asleep = 0;
    int before = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            REQUIRE(fake.in_flight.size() == 1);
            REQUIRE((fake.find(IORING_OP_POLL_ADD).poll32_events & POLLIN) != 0);
            REQUIRE(allocations_so_far == before);
            fake.complete(IORING_OP_POLL_ADD, POLLIN);
        } else {
            REQUIRE(fake.in_flight.size() == 1);
            REQUIRE(allocations_so_far == before + 1);
            REQUIRE(fake.find(IORING_OP_RECV).len == 64 * 1024);
            fake.complete(IORING_OP_RECV, 5);
        }
    };
    reactor.start(note_bytes(socket, noted));
    before = allocations_so_far;
    reactor.run();
    REQUIRE(noted == "5");
}

TEST_CASE("fake ring: a read whose poll fails has failed, unless it was interrupted", "[promise]") {
    FakeRing fake;
    fake.polls_are_ready = false;
    Reactor reactor;
    Socket socket(reactor, null_device());
    for (int result = -133; result < 0; ++result) {
        CAPTURE(result);
        std::string noted;
        int asked = 0;
        fake.when_asleep = [&] {
            if (fake.count(IORING_OP_RECV) > 0) {
                fake.complete(IORING_OP_RECV, 7);
            } else {
                fake.complete(IORING_OP_POLL_ADD, asked++ == 0 ? result : POLLIN);
            }
        };
        reactor.start(note_bytes(socket, noted));
        reactor.run();
        const bool is_asked_again = result == -EINTR || result == -EAGAIN;
        REQUIRE(asked == (is_asked_again ? 2 : 1));
        REQUIRE(noted == (is_asked_again ? "7" : "error " + std::to_string(-result)));
    }
}

TEST_CASE("fake ring: a read that is cancelled as its client sends takes no memory", "[promise]") {
    FakeRing fake;
    fake.polls_are_ready = false;
    Reactor reactor;
    Socket socket(reactor, null_device());
    const int of_poll = GENERATE(-ECANCELED, POLLIN, -EINTR);
    CAPTURE(of_poll);
    std::string noted;
    fake.when_asleep = [&] {
        socket.cancel();
        fake.complete(IORING_OP_POLL_ADD, of_poll);
    };
    reactor.start(note_bytes(socket, noted));
    reactor.run();
    REQUIRE(noted == "error 125");  // ECANCELED
    REQUIRE(fake.count(IORING_OP_RECV) == 0);
}

TEST_CASE("fake ring: a read that finds no memory fails, and nothing is in flight", "[promise]") {
    FakeRing fake;
    fake.polls_are_ready = false;
    fake.in_flight.reserve(10);
    Reactor reactor;
    Socket socket(reactor, null_device());
    std::string noted;
    fake.when_asleep = [&] {
        allocations_to_fail = 1;
        fake.complete(IORING_OP_POLL_ADD, POLLIN);
    };
    reactor.start(note_bytes(socket, noted));
    reactor.run();
    REQUIRE(noted == "error 12");  // ENOMEM
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("without memory for a message its client is turned away, and the others stay",
          "[limit]") {
    require_io_uring();
    require_failing_allocations();
    const Server server({.arguments = {"--port", "0"}, .allocations_can_fail = true});
    Client unlucky(server);
    Client other(server);
    REQUIRE(unlucky.exchange("hello") == "hello");
    REQUIRE(other.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.fail_allocation(1);
    unlucky.send("hello");
    REQUIRE_THROWS_AS(unlucky.receive_to_end(),
                      std::system_error);  // With "hello" unread: a reset.
    REQUIRE(other.exchange("still there?") == "still there?");
    REQUIRE_THAT(server.diagnostics(), EndsWith(": read: Cannot allocate memory\n"));
}

TEST_CASE("an echo takes three entries, where it took two", "[limit]") {
    require_io_uring();
    require_strace();
    REQUIRE(entries_for_ten_echoes(chapter_before()) == "two for each echo");
    REQUIRE(entries_for_ten_echoes(chapter_under_test()) == "three for each echo");
}
