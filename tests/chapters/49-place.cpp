// Chapter 49: a client's operation lies in its socket, which has room for one.

#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/bytes.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/chapter.hpp"

namespace {

Fd null_device() {
    return Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
}

/// Reads and sends in turn, and notes what has come, or the number of an error.
Task<> read_and_send(Socket& socket, std::string& noted, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        try {
            Bytes bytes = co_await socket.read();
            noted += "read " + std::to_string(bytes.get().size()) + " ";
            noted += "sent " + std::to_string(co_await socket.send(bytes)) + " ";
        } catch (const std::system_error& error) {
            noted += "error " + std::to_string(error.code().value()) + " ";
        }
    }
}

/// Has what the second socket does end when something has come for the first.
Task<> cancel_when_read(Socket& first, Socket& second) {
    const Bytes bytes = co_await first.read();
    second.cancel();
}

Task<> read_for_ever(Socket& socket) {
    co_await socket.read();
}

/// The signal that ends a process which reads and sends at once with one socket; 0, where none
/// does.
int signal_of_two_at_once() {
    const pid_t child = check(::fork(), "fork");
    if (child == 0) {
        ::signal(SIGABRT, SIG_DFL);  // Catch2 has a handler for it.
        ::close(STDERR_FILENO);      // What assert() says, the test does not need.
        FakeRing fake;
        Reactor reactor(1, 16);
        Socket socket(reactor, null_device());
        Bytes bytes;
        const auto reads = socket.read();
        const auto sends = socket.send(bytes);
        ::_exit(0);
    }
    int status = 0;
    check(::waitpid(child, &status, 0), "waitpid");
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
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

TEST_CASE("what a coroutine awaits of a socket is one reference", "[promise]") {
    REQUIRE(sizeof(InPlace<Read>) == sizeof(void*));
    REQUIRE(sizeof(InPlace<Send>) == sizeof(void*));
    REQUIRE(sizeof(Place) < sizeof(Read) + sizeof(Send));
}

TEST_CASE("fake ring: reads and sends have their place one after the other, errors included",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(2, 16);
    Socket socket(reactor, null_device());
    std::string noted;
    int asleep = 0;
    fake.when_asleep = [&] {
        switch (asleep++) {
            case 0: fake.complete(IORING_OP_RECV, 5); break;
            case 1: fake.complete(IORING_OP_SEND, 5); break;
            case 2: fake.complete(IORING_OP_RECV, -ECONNRESET); break;
            case 3: fake.complete(IORING_OP_RECV, 3); break;
            case 4: fake.complete(IORING_OP_SEND, -EPIPE); break;
            case 5: fake.complete(IORING_OP_RECV, 4); break;
            default: fake.complete(IORING_OP_SEND, 4); break;
        }
    };
    reactor.start(read_and_send(socket, noted, 4));
    reactor.run();
    REQUIRE(noted == "read 5 sent 5 error 104 read 3 error 32 read 4 sent 4 ");
    REQUIRE(fake.in_flight.empty());
    REQUIRE(fake.buffers() == 2);
}

TEST_CASE("fake ring: a cancel reaches the read, and the send, whichever has the place",
          "[promise]") {
    const io_uring_op waits = GENERATE(IORING_OP_RECV, IORING_OP_SEND);
    FakeRing fake;
    Reactor reactor(2, 16);
    Socket other(reactor, null_device());
    Socket socket(reactor, null_device());
    std::string noted;
    reactor.start(cancel_when_read(other, socket));
    reactor.start(read_and_send(socket, noted, 1));
    int asleep = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t waiting = 0;
    fake.when_asleep = [&] {
        if (asleep == 0 && waits == IORING_OP_SEND) {
            fake.complete(fake.in_flight.back().user_data, 5);
        } else if (fake.count(IORING_OP_ASYNC_CANCEL) == 0) {
            fake.complete(IORING_OP_RECV, 1);  // The other one's, which is the oldest.
        } else {
            cancelled = fake.find(IORING_OP_ASYNC_CANCEL).addr;
            waiting = fake.find(waits).user_data;
            fake.complete(IORING_OP_ASYNC_CANCEL, 0);
            fake.complete(waits, -ECANCELED);
        }
        ++asleep;
    };
    reactor.run();
    REQUIRE(noted == (waits == IORING_OP_SEND ? "read 5 error 125 " : "error 125 "));
    REQUIRE(cancelled == waiting);
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("fake ring: a socket ends only when the kernel has let go of what lies in it",
          "[promise]") {
    FakeRing fake;
    bool was_asked = false;
    {
        Reactor reactor(1, 16);
        Socket socket(reactor, null_device());
        TaskGroup group = reactor.group();
        group.start(read_for_ever(socket));
        reactor.start([](TaskGroup& all) -> Task<> {
            all.clear();
            co_return;
        }(group));
        fake.when_asleep = [&] {
            was_asked = fake.count(IORING_OP_ASYNC_CANCEL) == 1;
            fake.complete(IORING_OP_RECV, -ECANCELED);
            fake.complete(IORING_OP_ASYNC_CANCEL, 0);
        };
        reactor.run();
        REQUIRE(fake.in_flight.empty());
    }
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("a socket that is to read and to send at once ends the program", "[limit]") {
    REQUIRE(signal_of_two_at_once() == SIGABRT);
}
