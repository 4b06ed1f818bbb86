// Chapter 46: the kernel takes a buffer when something has come, and it is copied out at once.

#include <fcntl.h>
#include <liburing.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/buffer_pool.hpp"
#include "runtime/bytes.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ring.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
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

std::string refusal_of_buffers(int error_number) {
    FakeRing fake;
    fake.answer_to_buffers = -error_number;
    try {
        const Reactor reactor;
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("an echo takes two entries again", "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(entries_for_ten_echoes(chapter_before()) == "three for each echo");
    REQUIRE(entries_for_ten_echoes(chapter_under_test()) == "two for each echo");
}

TEST_CASE("silent clients still keep no buffer", "[promise]") {
    require_io_uring();
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "silent clients keep no buffer");
}

TEST_CASE("a pool of many buffers is no memory until they are used", "[promise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--buffers", "4096"}});  // 256 MiB
    Client client(server);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    REQUIRE(proc::resident_bytes(server.pid()) < 128 * 1024 * 1024);
}

TEST_CASE("fake ring: a read has no buffer while it waits, and gives it back with its value",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(3, 16);
    Socket socket(reactor, null_device());
    REQUIRE(fake.buffers() == 3);
    std::string noted;
    fake.when_asleep = [&] {
        REQUIRE(fake.buffers() == 3);
        REQUIRE((fake.find(IORING_OP_RECV).flags & IOSQE_BUFFER_SELECT) != 0);
        fake.complete(IORING_OP_RECV, 5);
        REQUIRE(fake.buffers() == 2);
    };
    for (int i = 0; i < 10; ++i) {
        reactor.start(note_bytes(socket, noted));
        reactor.run();
        REQUIRE(noted == "5");
        REQUIRE(fake.buffers() == 3);
    }
}

TEST_CASE("fake ring: bytes that come are a copy, and the buffer is free at once", "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket socket(reactor, null_device());
    fake.when_asleep = [&] { fake.complete(IORING_OP_RECV, 5); };
    unsigned while_held = 0;
    reactor.start([](Socket& from, const FakeRing& ring, unsigned& free) -> Task<> {
        const Bytes bytes = co_await from.read();
        free = ring.buffers();
    }(socket, fake, while_held));
    reactor.run();
    REQUIRE(while_held == 1);
}

TEST_CASE("fake ring: a read for which there was no buffer is asked for again", "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket first(reactor, null_device());
    Socket second(reactor, null_device());
    std::string noted;
    std::string also_noted;
    int asleep = 0;
    fake.when_asleep = [&] {
        if (asleep++ == 0) {
            fake.complete(IORING_OP_RECV, 5);
            fake.complete(IORING_OP_RECV, -ENOBUFS);
        } else {
            fake.complete(IORING_OP_RECV, 7);
        }
    };
    reactor.start(note_bytes(first, noted));
    reactor.start(note_bytes(second, also_noted));
    reactor.run();
    REQUIRE(noted == "5");
    REQUIRE(also_noted == "7");
    REQUIRE(fake.buffers() == 1);
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

TEST_CASE("where no buffers can be provided, it is said what to do", "[promise]") {
    REQUIRE(refusal_of_buffers(EINVAL) ==
            "io_uring_register: this kernel takes no ring of buffers: Linux 5.19 or later does");
    REQUIRE_THAT(refusal_of_buffers(ENOMEM), ContainsSubstring("ulimit -l"));
    REQUIRE(refusal_of_buffers(0).empty());
}

TEST_CASE("buffers for which there are no addresses are an error", "[promise]") {
    Ring ring;
    REQUIRE_THROWS_AS(BufferPool(ring, 32768, std::size_t{1} << 40), std::system_error);
}

TEST_CASE("without memory for a message its client is turned away, and its buffer is not lost",
          "[limit]") {
    require_io_uring();
    require_failing_allocations();
    const Server server(
        {.arguments = {"--port", "0", "--buffers", "1"}, .allocations_can_fail = true});
    Client unlucky(server);
    Client other(server);
    REQUIRE(unlucky.exchange("hello") == "hello");
    REQUIRE(other.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.fail_allocation(1);
    unlucky.send("hello");
    REQUIRE(unlucky.receive_to_end().empty());
    REQUIRE(other.exchange("still there?") == "still there?");
    REQUIRE_THAT(server.diagnostics(), EndsWith(": std::bad_alloc\n"));
}

TEST_CASE("each echo takes memory of its own, and is copied into it", "[limit]") {
    require_io_uring();
    require_failing_allocations();
    REQUIRE(memory_taken_by_ten_echoes(chapter_under_test()) == "one for each echo");
}
