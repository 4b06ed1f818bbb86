// Chapter 50: a client's operations refer to its connection, and to nothing else.

#include <fcntl.h>
#include <liburing.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/bytes.hpp"
#include "runtime/deadlines.hpp"
#include "runtime/fake_ring.hpp"
#include "runtime/operation.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"

using namespace std::chrono_literals;

namespace {

Fd null_device() {
    return Fd{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
}

/// Reads and sends once, and notes what has come, or the number of an error.
Task<> echo_once(Socket& socket, std::string& noted) {
    try {
        Bytes bytes = co_await socket.read();
        noted += "read " + std::to_string(bytes.get().size()) + " ";
        noted += "sent " + std::to_string(co_await socket.send(bytes)) + " ";
    } catch (const std::system_error& error) {
        noted += "error " + std::to_string(error.code().value()) + " ";
    }
}

/// Does so when something has come for the first socket.
Task<> end_input_when_read(Socket& first, Socket& second) {
    const Bytes bytes = co_await first.read();
    second.end_input();
}

Task<> read_with(Socket& socket, Timeout& timeout, std::string& noted) {
    const Bytes bytes = co_await socket.read(&timeout);
    noted += "read " + std::to_string(bytes.get().size()) + " ";
}

}  // namespace

TEST_CASE("a silent client costs 32 bytes less at the least", "[why]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer has an allocator of its own");
#endif
    require_io_uring();
    const std::size_t before = bytes_of_a_silent_client(chapter_before());
    const std::size_t now = bytes_of_a_silent_client(chapter_under_test());
    CAPTURE(before, now);
    REQUIRE(now + 32 <= before);
}

TEST_CASE("an operation of a client has a deadline and one reference", "[promise]") {
    REQUIRE(sizeof(Transfer) == sizeof(Submission) + sizeof(Expiry) + sizeof(void*));
    REQUIRE(sizeof(Send) == sizeof(Transfer) + sizeof(void*));
}

TEST_CASE("a socket that waits for nothing can be cancelled, and reads and sends after that",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Socket socket(reactor, null_device());
    socket.cancel();
    std::string noted;
    int asleep = 0;
    fake.when_asleep = [&] { fake.complete(asleep++ == 0 ? IORING_OP_RECV : IORING_OP_SEND, 5); };
    reactor.start(echo_once(socket, noted));
    reactor.run();
    REQUIRE(noted == "read 5 sent 5 ");
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("fake ring: the end of the input lets a send be, and the next read finds it",
          "[promise]") {
    FakeRing fake;
    Reactor reactor(2, 16);
    Socket other(reactor, null_device());
    Socket socket(reactor, null_device());
    std::string noted;
    reactor.start(end_input_when_read(other, socket));
    reactor.start(echo_once(socket, noted));
    int asleep = 0;
    std::size_t cancels = 0;
    fake.when_asleep = [&] {
        switch (asleep++) {
            case 0: fake.complete(fake.in_flight.back().user_data, 5); break;
            case 1: fake.complete(IORING_OP_RECV, 1); break;  // The other one's.
            default:
                cancels += fake.count(IORING_OP_ASYNC_CANCEL);
                fake.complete(IORING_OP_SEND, 5);
                break;
        }
    };
    reactor.run();
    REQUIRE(noted == "read 5 sent 5 ");
    REQUIRE(cancels == 0);
    reactor.start(echo_once(socket, noted));  // Nothing goes to the kernel: it is known already.
    fake.when_asleep = [&] { fake.complete(IORING_OP_SEND, 0); };
    reactor.run();
    REQUIRE(noted == "read 5 sent 5 read 0 sent 0 ");
    REQUIRE(fake.in_flight.empty());
}

TEST_CASE("fake ring: a read that need not wait leaves no deadline behind", "[promise]") {
    FakeRing fake;
    Reactor reactor(1, 16);
    Timeout timeout(1h);
    reactor.add(timeout);
    Socket socket(reactor, null_device());
    socket.end_input();
    std::string noted;
    reactor.start(read_with(socket, timeout, noted));
    reactor.run();
    REQUIRE(noted == "read 0 ");
    REQUIRE_FALSE(timeout.first().has_value());
}
