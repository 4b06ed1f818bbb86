// What a coroutine can await, and what becomes of it when it is destroyed instead.

#include "io.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "listener.hpp"
#include "runtime/counted.hpp"
#include "runtime/crowd.hpp"
#include "runtime/moment.hpp"
#include "runtime/pair.hpp"
#include "runtime/sockets.hpp"
#include "support/proc.hpp"
#include "task.hpp"

namespace {

bool is_out_of_memory = false;

}  // namespace

// All memory of the test is had from here, and none where a test says so.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = is_out_of_memory ? nullptr : std::malloc(size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

// A sanitizer would have its own, which does not go with the delete below.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return is_out_of_memory ? nullptr : std::malloc(size);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

/// Counts the bytes up to the end of the file.
Task<> read_to_end(IoContext& io, Fd fd, std::size_t& count) {
    const Counted counted;
    Socket socket(io, std::move(fd));
    std::array<char, 16> buffer{};
    while (true) {
        const std::size_t received = co_await read_into(socket, buffer);
        if (received == 0) {
            co_return;
        }
        count += received;
    }
}

/// Sends a byte and reads one, again and again. There is no task between the coroutine and the
/// operations.
template <typename SocketType>
Task<> send_and_read(IoContext& io, Fd fd, const Fd& theirs, std::size_t& count) {
    SocketType socket(io, std::move(fd));
    std::array<char, 1> buffer{};
    while (count < 1'000'000) {
        if constexpr (requires { socket.send(std::span<const char>("x", 1)); }) {
            count += co_await socket.send(std::span<const char>("x", 1));
        } else {
            auto byte = decltype(socket.read().await_resume())(std::make_unique<char[]>(1), 1);
            count += co_await socket.send(byte);
        }
        char byte = 0;
        if (::read(theirs.get(), &byte, 1) != 1 || ::write(theirs.get(), "y", 1) != 1) {
            co_return;
        }
        if constexpr (requires { socket.read(buffer); }) {
            count += co_await socket.read(buffer);
        } else {
            const auto bytes = co_await socket.read();
            count += bytes.get().size();
        }
    }
}

/// Begins a task whose frame stays the test's.
void begin(const Task<>& task) {
    task.operator co_await().await_suspend(std::noop_coroutine()).resume();
}

}  // namespace

TEST_CASE("io: a coroutine sleeps until there is something to read", "[promise]") {
    Pair pair;
    std::size_t count = 0;
    IoContext io = make_io(16);
    io.start(read_to_end(io, std::move(pair.ours), count));
    io.start([](IoContext& context, Fd& theirs) -> Task<> {
        co_await context.sleep_for(std::chrono::milliseconds{5});
        say(theirs, "hello");
        co_await context.sleep_for(std::chrono::milliseconds{5});
        theirs.close();
    }(io, pair.theirs));
    io.run();
    REQUIRE(count == 5);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("io: a sleep takes its time, and the shortest ends first", "[promise]") {
    IoContext io = make_io(16);
    std::string order;
    const auto sleeper = [](IoContext& context, int milliseconds, char name,
                            std::string& ended) -> Task<> {
        co_await context.sleep_for(std::chrono::milliseconds{milliseconds});
        ended += name;
    };
    const auto start = std::chrono::steady_clock::now();
    io.start(sleeper(io, 60, 'c', order));
    io.start(sleeper(io, 1, 'a', order));
    io.start(sleeper(io, 30, 'b', order));
    io.run();
    REQUIRE(order == "abc");
    // At least: a loaded machine takes longer and is right, too.
    REQUIRE(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds{60});
}

TEST_CASE("io: an error of the call is an exception that names it", "[promise]") {
    std::string words;
    Pair pair;
    pair.theirs.close();
    IoContext io = make_io(16);
    io.start([](IoContext& context, Fd fd, std::string& caught) -> Task<> {
        Socket socket(context, std::move(fd));
        try {
            co_await send_from(socket, std::span("x", 1));
        } catch (const std::system_error& error) {
            caught = error.what();
        }
    }(io, std::move(pair.ours), words));
    io.run();
    REQUIRE(words == "send: Broken pipe");
}

TEST_CASE("io: coroutines are destroyed where they are suspended, with all that they own",
          "[promise]") {
    Pair pair;
    const int number = pair.ours.get();
    std::size_t count = 0;
    {
        IoContext io = make_io(16);
        io.start(read_to_end(io, std::move(pair.ours), count));
        io.start([](IoContext& context) -> Task<> {
            const Counted counted;
            co_await context.sleep_for(std::chrono::hours{1});
        }(io));
        // A task that awaits one that is suspended.
        Pair other;
        io.start([](IoContext& context, Fd fd, std::size_t& bytes) -> Task<> {
            const Counted counted;
            co_await read_to_end(context, std::move(fd), bytes);
        }(io, std::move(other.ours), count));
        io.start([](IoContext& context) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            throw std::runtime_error("enough");
        }(io));
        REQUIRE_THROWS_AS(io.run(), std::runtime_error);
        REQUIRE(Counted::alive == 4);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(::fcntl(number, F_GETFD) == -1);
}

TEST_CASE("io: a coroutine that is destroyed by another is not resumed", "[promise]") {
    // Both have news in the same round. Whoever is resumed first destroys the other one; their
    // sockets stay.
    IoContext io = make_io(16);
    std::array<Pair, 2> pairs;
    Socket first_socket(io, std::move(pairs[0].ours));
    Socket second_socket(io, std::move(pairs[1].ours));
    std::unique_ptr<Task<>> first;
    std::unique_ptr<Task<>> second;
    int resumed = 0;
    const auto destroyer = [](Socket& socket, std::unique_ptr<Task<>>& other,
                              int& count) -> Task<> {
        const Counted counted;
        std::array<char, 16> buffer{};
        co_await read_into(socket, buffer);
        ++count;
        other.reset();
    };
    first = std::make_unique<Task<>>(destroyer(first_socket, second, resumed));
    second = std::make_unique<Task<>>(destroyer(second_socket, first, resumed));
    for (const Pair& pair : pairs) {
        say(pair.theirs, "x");
    }
    begin(*first);
    begin(*second);
    run_for_a_moment(io);
    REQUIRE(resumed == 1);
    first.reset();
    second.reset();
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("io: a coroutine that is destroyed while it sleeps is not woken", "[promise]") {
    IoContext io = make_io(16);
    std::unique_ptr<Task<>> first;
    std::unique_ptr<Task<>> second;
    int woken = 0;
    const auto destroyer = [](IoContext& context, std::unique_ptr<Task<>>& other,
                              int& count) -> Task<> {
        const Counted counted;
        co_await context.sleep_for(std::chrono::milliseconds{1});
        ++count;
        other.reset();
    };
    first = std::make_unique<Task<>>(destroyer(io, second, woken));
    second = std::make_unique<Task<>>(destroyer(io, first, woken));
    begin(*first);
    begin(*second);
    io.start([](IoContext& context) -> Task<> {
        co_await context.sleep_for(std::chrono::milliseconds{20});
    }(io));
    io.run();
    REQUIRE(woken == 1);
    first.reset();
    second.reset();
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("io: an operation whose coroutine has been destroyed is over", "[promise]") {
    IoContext io = make_io(16);
    Pair pair;
    std::size_t count = 0;
    {
        const Task<> task = read_to_end(io, std::move(pair.ours), count);
        begin(task);
        run_for_a_moment(io);
    }
    REQUIRE(Counted::alive == 0);
    // An operation in flight would still hold our end open, and take the bytes.
    REQUIRE(::send(pair.theirs.get(), "x", 1, MSG_NOSIGNAL) == -1);
    REQUIRE(errno == EPIPE);
}

TEST_CASE("io: a client that nobody is there to take any more is closed", "[promise]") {
    require_io_uring();
    const std::size_t open_before = proc::descriptors(::getpid()).size();
    {
        std::vector<std::unique_ptr<Pair>> pairs;
        IoContext io = make_io(16);
        Fd listener = listen_on({.port = 0});
        Address address;
        check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
        io.start([](IoContext& context, Fd fd) -> Task<> {
            Acceptor acceptor(context, std::move(fd));
            Address peer;
            const int number = co_await acceptor.accept(peer);
            const Fd client{number};
        }(io, std::move(listener)));
        std::size_t count = 0;
        for (int i = 0; i < 20; ++i) {
            pairs.push_back(std::make_unique<Pair>());
            io.start(read_to_end(io, std::move(pairs.back()->ours), count));
        }
        const Fd client{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
        io.start([](IoContext& context, const Fd& connects, Address& to) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            check(::connect(connects.get(), to.get(), to.length), "connect");
            throw std::runtime_error("enough");
        }(io, client, address));
        REQUIRE_THROWS_AS(io.run(), std::runtime_error);
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE(proc::descriptors(::getpid()).size() == open_before);
}

TEST_CASE("io: a million operations that complete at once do not grow the stack", "[promise]") {
    Pair pair;
    IoContext io = make_io(1);
    std::size_t done = 0;
    io.start(send_and_read<Socket>(io, std::move(pair.ours), pair.theirs, done));
    io.run();
    REQUIRE(done == 1'000'000);
}

TEST_CASE("io: whoever always has something to do does not keep the others waiting", "[promise]") {
    std::array<Pair, 2> pairs;
    IoContext io = make_io(1);
    std::string order;
    for (int i = 0; i < 2; ++i) {
        Pair& pair = pairs[static_cast<std::size_t>(i)];
        say(pair.theirs, std::string(100, 'x'));
        io.start([](IoContext& context, Fd fd, char name, std::string& turns) -> Task<> {
            Socket socket(context, std::move(fd));
            std::array<char, 1> buffer{};
            for (std::size_t count = 0; count < 100;) {
                count += co_await read_into(socket, buffer);
                turns += name;
            }
        }(io, std::move(pair.ours), static_cast<char>('a' + i), order));
    }
    io.run();
    REQUIRE(order.size() == 200);
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < order.size();) {
        const std::size_t end =
            std::min(order.find_first_not_of(order[begin], begin), order.size());
        if (end < order.size() && order.find(order[begin], end) != std::string::npos) {
            longest = std::max(longest, end - begin);
        }
        begin = end;
    }
    REQUIRE(longest <= 8);
    REQUIRE(longest >= 1);
}

TEST_CASE("io: beside more busy coroutines than entries, a sleep ends and a client is accepted",
          "[promise]") {
    IoContext io = make_io(1, Crowd::entries);
    Crowd crowd{.waiting = 2};
    io.start([](IoContext& context, Crowd& others) -> Task<> {
        co_await context.sleep_for(std::chrono::milliseconds{1});
        --others.waiting;
    }(io, crowd));
    Fd listener = listen_on({.port = 0});
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    io.start([](IoContext& context, Fd fd, Crowd& others) -> Task<> {
        Acceptor acceptor(context, std::move(fd));
        Address peer;
        const int number = co_await acceptor.accept(peer);
        const Fd client{number};
        --others.waiting;
    }(io, std::move(listener), crowd));
    const Fd client{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    start(io, crowd,
          [&] { check(::connect(client.get(), address.get(), address.length), "connect"); });
    io.run();
    REQUIRE_FALSE(crowd.has_given_up);
    REQUIRE(crowd.waiting == 0);
}

TEST_CASE("io: what is done is resumed without any memory", "[promise]") {
    // More than any queue has room for before it asks for memory.
    IoContext io = make_io(16, 8);
    int ended = 0;
    for (int i = 0; i < 500; ++i) {
        io.start([](IoContext& context, int& count) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            is_out_of_memory = true;  // From the first one on.
            co_await context.sleep_for(std::chrono::milliseconds{1});
            if (++count == 500) {
                is_out_of_memory = false;
            }
        }(io, ended));
    }
    try {
        io.run();
    } catch (const std::bad_alloc&) {
        // Fewer have ended.
    }
    is_out_of_memory = false;
    REQUIRE(ended == 500);
}
