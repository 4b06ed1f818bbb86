// From `multishot` on: bytes are a value that owns its buffer, and an operation goes on until it is
// stopped.

#include "buffers.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "address.hpp"
#include "io.hpp"
#include "listener.hpp"
#include "ring.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"
#include "support/proc.hpp"
#include "task.hpp"

using namespace std::chrono_literals;

namespace {

/// A ring with a pool, without an engine.
struct RingWithPool {
    explicit RingWithPool(unsigned count) {
        require_io_uring();
        make_ring(8, ring);
        pool = std::make_unique<BufferPool>(ring, count, 16);
    }

    ~RingWithPool() { ::io_uring_queue_exit(&ring); }

    /// What one receive from the socket brings.
    Bytes receive(const Fd& from) {
        io_uring_sqe& entry = *::io_uring_get_sqe(&ring);
        ::io_uring_prep_recv(&entry, from.get(), nullptr, 0, 0);
        entry.flags |= IOSQE_BUFFER_SELECT;
        entry.buf_group = BufferPool::group;
        ::io_uring_submit(&ring);
        io_uring_cqe* completion = nullptr;
        REQUIRE(::io_uring_wait_cqe(&ring, &completion) == 0);
        const int result = completion->res;
        const unsigned flags = completion->flags;
        ::io_uring_cqe_seen(&ring, completion);
        REQUIRE(result >= 0);
        if ((flags & IORING_CQE_F_BUFFER) == 0) {
            return {};
        }
        return {*pool, flags >> IORING_CQE_BUFFER_SHIFT, static_cast<std::size_t>(result)};
    }

    io_uring ring{};
    std::unique_ptr<BufferPool> pool;
};

std::string text(const Bytes& bytes) {
    return {bytes.get().begin(), bytes.get().end()};
}

}  // namespace

TEST_CASE("bytes: the end of the value gives the buffer back", "[promise]") {
    const unsigned count = GENERATE(1, 3, 4);
    RingWithPool ring(count);
    const Pair pair;
    REQUIRE(ring.pool->available() == count);
    // More often than there are buffers: each is used again.
    for (int i = 0; i < 20; ++i) {
        say(pair.theirs, "hello");
        const Bytes bytes = ring.receive(pair.ours);
        REQUIRE(text(bytes) == "hello");
        REQUIRE(ring.pool->available() == count - 1);
    }
    REQUIRE(ring.pool->available() == count);
}

TEST_CASE("bytes: whoever they are moved to owns the buffer", "[promise]") {
    RingWithPool ring(4);
    const Pair pair;
    say(pair.theirs, "hello");
    Bytes first = ring.receive(pair.ours);
    say(pair.theirs, "world");
    Bytes second = ring.receive(pair.ours);
    REQUIRE(ring.pool->available() == 2);
    {
        const Bytes moved = std::move(first);
        REQUIRE(text(moved) == "hello");
        REQUIRE(ring.pool->available() == 2);
    }
    REQUIRE(ring.pool->available() == 3);
    first = std::move(second);
    REQUIRE(text(first) == "world");
    REQUIRE(ring.pool->available() == 3);
    first = Bytes();
    second = Bytes();
    REQUIRE(ring.pool->available() == 4);
}

TEST_CASE("bytes: outside the pool they are the same, and the buffer is back", "[promise]") {
    RingWithPool ring(4);
    const Pair pair;
    say(pair.theirs, "hello world");
    Bytes bytes = ring.receive(pair.ours);
    bytes.drop(6);
    bytes.leave_pool();
    REQUIRE(ring.pool->available() == 4);
    bytes.leave_pool();
    REQUIRE(text(bytes) == "world");
    bytes.drop(5);
    REQUIRE(bytes.empty());
}

TEST_CASE("multishot: whoever reads later gets all that has come, in order", "[promise]") {
    const unsigned buffers = GENERATE(1, 2, 64);
    CAPTURE(buffers);
    IoContext io = make_io(16, 8, buffers);
    Pair pair;
    std::string all;
    io.start([](IoContext& context, Pair& ends, std::string& read) -> Task<> {
        Socket socket(context, std::move(ends.ours));
        for (char c = 'a'; c <= 'z'; ++c) {
            say(ends.theirs, std::string(5, c));
            co_await context.sleep_for(1ms);
            if (c % 3 == 0) {  // Now and then.
                const Bytes bytes = co_await socket.read();
                read += text(bytes);
            }
        }
        while (read.size() < 26U * 5U) {
            const Bytes bytes = co_await socket.read();
            read += text(bytes);
        }
    }(io, pair, all));
    io.run();
    std::string sent;
    for (char c = 'a'; c <= 'z'; ++c) {
        sent += std::string(5, c);
    }
    REQUIRE(all == sent);
}

TEST_CASE("multishot: it is armed again when the queue of completions has overflowed",
          "[promise]") {
    // Room for four completions, and news from thirty.
    IoContext io = make_io(16, 2);
    std::vector<std::unique_ptr<Pair>> pairs;
    int read = 0;
    for (int i = 0; i < 30; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        io.start([](IoContext& context, Fd fd, int& count) -> Task<> {
            Socket socket(context, std::move(fd));
            for (int message = 0; message < 10; ++message) {
                const Bytes bytes = co_await socket.read();
                count += bytes.empty() ? 0 : 1;
            }
        }(io, std::move(pairs.back()->ours), read));
    }
    io.start([](IoContext& context, std::vector<std::unique_ptr<Pair>>& all, int& count) -> Task<> {
        for (int message = 1; message <= 10; ++message) {
            for (const auto& pair : all) {
                say(pair->theirs, "hello");
            }
            while (count < message * 30) {
                co_await context.sleep_for(1ms);
            }
        }
    }(io, pairs, read));
    io.run();
    REQUIRE(read == 300);
}

TEST_CASE("multishot: with no buffer left, nobody spins, and whoever waits has his turn",
          "[promise]") {
    IoContext io = make_io(16, 8, 2);
    std::vector<std::unique_ptr<Pair>> pairs;
    std::string order;
    for (int i = 0; i < 4; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        say(pairs.back()->theirs, "hello");
        io.start([](IoContext& context, Fd fd, char name, std::string& turns) -> Task<> {
            Socket socket(context, std::move(fd));
            const Bytes bytes = co_await socket.read();
            co_await context.sleep_for(100ms);  // With a buffer in his hands, as nobody should.
            turns += name;
        }(io, std::move(pairs.back()->ours), static_cast<char>('a' + i), order));
    }
    const auto before = proc::cpu_time(::getpid());
    io.run();
    REQUIRE(proc::cpu_time(::getpid()) - before <= 50ms);
    REQUIRE(order.size() == 4);
}

TEST_CASE("multishot: a buffer that comes back wakes whoever has waited for one", "[promise]") {
    IoContext io = make_io(16, 8, 1);
    Pair first;
    Pair second;
    std::string all;
    io.start([](IoContext& context, Fd fd, const Fd& theirs, std::string& read) -> Task<> {
        Socket socket(context, std::move(fd));
        {
            const Bytes bytes = co_await socket.read();
            say(theirs, "to the second");
            co_await context.sleep_for(5ms);  // The second one finds no buffer.
            read += text(bytes);
        }
        // Nothing else happens from here on.
    }(io, std::move(first.ours), second.theirs, all));
    io.start([](IoContext& context, Fd fd, std::string& read) -> Task<> {
        Socket socket(context, std::move(fd));
        const Bytes bytes = co_await socket.read();
        read += ", " + text(bytes);
    }(io, std::move(second.ours), all));
    say(first.theirs, "to the first");
    io.run();
    REQUIRE(all == "to the first, to the second");
}

TEST_CASE("multishot: whoever is hungry and does something else uses up nobody's turn",
          "[promise]") {
    IoContext io = make_io(16, 8, 1);
    Pair stalled;
    Pair other;
    const std::string much(1024 * 1024, 'x');
    while (::send(stalled.ours.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    say(stalled.theirs, std::string(32, 'x'));  // Twice as much as the buffer holds.
    say(other.theirs, "hello");
    // Its second half finds no buffer, and it waits for room to send the first.
    io.start([](IoContext& context, Fd fd) -> Task<> {
        Socket socket(context, std::move(fd));
        Bytes bytes = co_await socket.read();
        try {
            co_await socket.send(bytes, 2s);
        } catch (const std::system_error&) {
        }
    }(io, std::move(stalled.ours)));
    std::string result;
    io.start([](IoContext& context, Fd fd, std::string& read) -> Task<> {
        Socket socket(context, std::move(fd));
        try {
            const Bytes bytes = co_await socket.read(1s);
            read = text(bytes);
        } catch (const std::system_error& error) {
            read = error.what();
        }
    }(io, std::move(other.ours), result));
    io.run();
    REQUIRE(result == "hello");
}

TEST_CASE("multishot: a buffer that is of no use to one is there for the next", "[promise]") {
    IoContext io = make_io(16, 8, 1);
    Pair first;
    Pair silent;
    Pair other;
    Socket silent_socket(io, std::move(silent.ours));
    Socket other_socket(io, std::move(other.ours));
    std::string result;
    io.start([](IoContext& context, Fd fd, const Fd& theirs) -> Task<> {
        Socket socket(context, std::move(fd));
        const Bytes bytes = co_await socket.read();
        co_await context.sleep_for(5ms);  // Two others find no buffer, and nothing has come yet.
        say(theirs, "hello");
    }(io, std::move(first.ours), other.theirs));
    io.start([](IoContext& context, Socket& socket) -> Task<> {
        co_await context.sleep_for(1ms);
        try {
            const Bytes bytes = co_await socket.read();
        } catch (const std::system_error&) {
            // Until it is cancelled.
        }
    }(io, silent_socket));
    io.start([](IoContext& context, Socket& socket, Socket& before, std::string& read) -> Task<> {
        co_await context.sleep_for(2ms);
        try {
            const Bytes bytes = co_await socket.read(1s);
            read = text(bytes);
        } catch (const std::system_error& error) {
            read = error.what();
        }
        before.cancel();
    }(io, other_socket, silent_socket, result));
    say(first.theirs, "hold");
    io.run();
    REQUIRE(result == "hello");
}

TEST_CASE("multishot: clients who have come and were not asked for are closed with the acceptor",
          "[promise]") {
    require_io_uring();
    const std::size_t open_before = proc::descriptors(::getpid()).size();
    {
        IoContext io = make_io(16);
        Fd listener = listen_on({.port = 0});
        Address address;
        check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
        io.start([](IoContext& context, Fd fd, Address& to) -> Task<> {
            Acceptor acceptor(context, std::move(fd));
            std::vector<Fd> clients;
            for (int i = 0; i < 10; ++i) {
                clients.emplace_back(
                    check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
                check(::connect(clients.back().get(), to.get(), to.length), "connect");
            }
            Address peer;
            const int number = co_await acceptor.accept(peer);
            const Fd one_of_them{number};
            co_await context.sleep_for(1ms);
        }(io, std::move(listener), address));
        io.run();
    }
    REQUIRE(proc::descriptors(::getpid()).size() == open_before);
}
