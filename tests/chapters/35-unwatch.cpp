// Chapter 35: what has lost its last user is taken out; epoll watches the ring, and nothing else.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/waiter.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

std::vector<int> time_outs;  // of epoll_wait(), since they were cleared
std::atomic<int> allocations = 0;

}  // namespace

// In the place of the C library's: so the reactors of these tests are heard as they call it.
int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
    time_outs.push_back(timeout);
    return static_cast<int>(::syscall(SYS_epoll_pwait, fd, events, count, timeout, nullptr, 0));
}

// Not inlined: g++ would take free() for a mistake where it sees both.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

/// A connection with both ends in the test. Ours blocks, as that of a client does here.
struct Connection {
    Connection() {
        std::array<int, 2> ends{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
        ours = Fd{ends[0]};
        theirs = Fd{ends[1]};
    }

    void say(const std::string& words) const {
        REQUIRE(::write(theirs.get(), words.data(), words.size()) ==
                static_cast<ssize_t>(words.size()));
    }

    Fd ours;
    Fd theirs;
};

/// Reads bytes one at a time until the end of the file, and notes each.
Task<> note_bytes(Reactor& reactor, Fd fd, std::string& noted) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    while (co_await socket.read(byte) > 0) {
        noted += byte[0];
    }
}

Task<> read_some(const Socket& socket, std::size_t count, std::string& heard) {
    std::array<char, 4096> buffer{};
    while (heard.size() < count) {
        const std::size_t received = co_await socket.read(buffer);
        heard.append(buffer.data(), received);
    }
}

/// Sends all of it.
Task<> send_all(const Socket& socket, std::span<const char> bytes) {
    while (!bytes.empty()) {
        const std::size_t sent = co_await socket.send(bytes);
        bytes = bytes.subspan(sent);
    }
}

Task<> read_in_vain(Reactor& reactor, Fd fd) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
}

/// Sends itself a byte again and again, as long as nobody tells it to stop: there is never anything
/// to wait for.
Task<> be_busy(Reactor& reactor, Connection connection, const bool& is_over, int& rounds) {
    const Socket socket(reactor, std::move(connection.ours));
    std::array<char, 1> byte{};
    while (!is_over && rounds < 100'000) {
        ++rounds;
        co_await socket.send(std::span<const char>("x", 1));
        char taken = 0;
        if (::read(connection.theirs.get(), &taken, 1) != 1 ||
            ::write(connection.theirs.get(), "y", 1) != 1) {
            co_return;
        }
        co_await socket.read(byte);
    }
}

Task<> sleep_a_moment(Reactor& reactor, bool& is_over) {
    co_await reactor.sleep_for(std::chrono::milliseconds{5});
    is_over = true;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

std::size_t count_lines_with(const SystemCallTrace& trace, const std::string& words) {
    const std::vector<std::string> lines = trace.lines();
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [&](const std::string& line) { return line.find(words) != std::string::npos; }));
}

/// What epoll has to do for ten clients, each of whom gets one echo.
struct Watching {
    std::size_t told_to_watch = 0;    ///< calls of epoll_ctl()
    std::size_t told_of_clients = 0;  ///< calls of epoll_wait() that name a client as writable

    bool operator==(const Watching&) const = default;
};

Watching watch_ten_clients(const Chapter& chapter) {
    const Server server(chapter);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "epoll_ctl,epoll_wait,epoll_pwait");
    std::vector<Client> clients;
    for (int i = 0; i < 10; ++i) {
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    return {count_lines_with(trace, "EPOLL_CTL_ADD"), count_lines_with(trace, "EPOLLOUT, data")};
}

/// How often the thread wakes up while a client comes and says nothing.
std::size_t wakings_for_a_silent_client(const Chapter& chapter) {
    const Server server(chapter);
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait");
    const std::vector<Client> others = connect_clients(server, 1);
    wait_until_at_rest(server);  // From now on strace sees each wait from its beginning.
    const auto waits = [&trace] { return trace.count("epoll_wait") + trace.count("epoll_pwait"); };
    const std::size_t before = waits();
    const Client silent(server);
    wait_until("it is accepted", [&] { return server.count_clients() == 2; });
    wait_until_at_rest(server);
    return waits() - before;
}

/// A client comes for whom epoll has no room: "it is served", or what the server says.
std::string client_without_room_in_epoll(const Chapter& chapter) {
    const Server server(chapter);
    const std::vector<Client> others = connect_clients(server, 1);
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC");
    Client client(server);
    try {
        client.send("hello");
        if (client.receive(5) == "hello") {
            return "it is served";
        }
    } catch (const std::system_error&) {
        // Its bytes have not been read, so the end of the connection is a reset.
    }
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    const std::string words = server.diagnostics();
    return words.substr(words.find(": ") + 2);
}

/// What a coroutine throws to end run() with the others still suspended.
struct Enough {};

Task<> end_after(Reactor& reactor, std::chrono::milliseconds time) {
    co_await reactor.sleep_for(time);
    throw Enough();
}

Task<> read_a_byte(const Socket& socket, std::string name, std::string& noted) {
    const Counted local;
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    noted += name;
}

/// Begins a task whose frame stays the test's.
void begin(const Task<>& task) {
    task.operator co_await().await_suspend(std::noop_coroutine()).resume();
}

/// In the last turn of a round it destroys a coroutine that waits in the kernel, when another one's
/// byte has come. From then on the time-outs are noted.
Task<> destroy_when_a_byte_has_come(const Socket& own, std::optional<Task<>>& waits,
                                    const Connection& to_another) {
    co_await own.send(std::span("x", 1));
    co_await own.send(std::span("x", 1));  // Done at once, and found by the round's second look.
    to_another.say("x");
    waits.reset();
    time_outs.clear();
}

Task<> count_allocations_of_a_visit(Reactor& reactor, Fd fd, int& count) {
    const int before = allocations;
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    co_await socket.send(byte);
    count = allocations - before;
}

}  // namespace

TEST_CASE("a client costs no call to watch it, and nobody is told of it in vain", "[why]") {
    require_io_uring();
    require_strace();
    const Watching before = watch_ten_clients(chapter_before());
    CHECK(before.told_to_watch == 10);
    CHECK(before.told_of_clients >= 10);
    CHECK(watch_ten_clients(chapter_under_test()) == Watching{});
}

TEST_CASE("before, a client that says nothing woke the thread twice, and now once", "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(wakings_for_a_silent_client(chapter_before()) == 2);  // There is room to send to it.
    REQUIRE(wakings_for_a_silent_client(chapter_under_test()) == 1);
}

TEST_CASE("before, an echo cost four system calls, and now it costs three", "[why]") {
    require_io_uring();
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 40 || before == 39));
    REQUIRE((now == 30 || now == 29));  // epoll_wait, io_uring_enter, io_uring_enter
}

TEST_CASE("before, a client was turned away when epoll had no room, and now it is served",
          "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(client_without_room_in_epoll(chapter_before()) ==
            "epoll_ctl: No space left on device\n");
    REQUIRE(client_without_room_in_epoll(chapter_under_test()) == "it is served");
}

TEST_CASE("server.cpp and task.hpp are the same to the byte as before", "[promise]") {
    for (const std::string name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("the operations and the ring are the same to the byte as before", "[promise]") {
    for (const std::string name :
         {"runtime/operation.hpp", "runtime/ring.hpp", "runtime/queue.hpp"}) {
        CAPTURE(name);
        REQUIRE(read_source(chapter_under_test(), name) == read_source(chapter_before(), name));
    }
}

TEST_CASE("socket: to take over a descriptor costs no system call, and cannot fail", "[promise]") {
    require_io_uring();
    std::string words;
    Reactor reactor;
    // epoll would have refused this one: it is no open descriptor.
    reactor.start(read_in_vain(reactor, Fd{}));
    try {
        reactor.run();
    } catch (const std::system_error& error) {
        words = error.what();
    }
    REQUIRE(words == "read: Bad file descriptor");
}

TEST_CASE("socket: one coroutine reads while another sends", "[promise]") {
    require_io_uring();
    // More than the kernel keeps for a connection, so that each has to wait for the other.
    const std::string bytes(1'000'000, 'x');
    std::string here;
    std::string there;
    Reactor reactor;
    Connection connection;
    const Socket ours(reactor, std::move(connection.ours));
    const Socket theirs(reactor, std::move(connection.theirs));
    reactor.start(read_some(ours, bytes.size(), here));
    reactor.start(send_all(ours, bytes));
    reactor.start(read_some(theirs, bytes.size(), there));
    reactor.start(send_all(theirs, bytes));
    reactor.run();
    const bool same = here == bytes && there == bytes;
    REQUIRE(same);
}

TEST_CASE("reactor: whoever always has something to do does not keep the others waiting",
          "[promise]") {
    require_io_uring();
    std::string order;
    Reactor reactor;
    {
        Connection first;
        Connection second;
        first.say(std::string(100, 'a'));
        second.say(std::string(100, 'b'));
        reactor.start(note_bytes(reactor, std::move(first.ours), order));
        reactor.start(note_bytes(reactor, std::move(second.ours), order));
    }
    reactor.run();
    REQUIRE(order.size() == 200);
    // Each read is a turn of its own: they go in turn.
    REQUIRE(order.find("aa") == std::string::npos);
    REQUIRE(order.find("bb") == std::string::npos);
}

TEST_CASE("reactor: a sleeper wakes beside one that is always busy", "[promise]") {
    require_io_uring();
    bool is_over = false;
    int rounds = 0;
    Reactor reactor;
    reactor.start(be_busy(reactor, Connection(), is_over, rounds));
    reactor.start(sleep_a_moment(reactor, is_over));
    reactor.run();
    REQUIRE(is_over);
    REQUIRE(rounds < 100'000);
}

TEST_CASE("fifty clients at once cost one system call for ten echoes or more", "[promise]") {
    require_io_uring();
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("epoll has no descriptor but that of the ring, however many clients there are",
          "[promise]") {
    require_io_uring();
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 20);
    const std::string process = "/proc/" + std::to_string(server.pid());
    for (const auto& entry : std::filesystem::directory_iterator(process + "/fdinfo")) {
        std::ifstream info(entry.path());
        for (std::string line; std::getline(info, line);) {
            if (line.starts_with("tfd:")) {  // proc(5): what an epoll watches
                const int watched = std::stoi(line.substr(4));
                const auto link = process + "/fd/" + std::to_string(watched);
                REQUIRE(std::filesystem::read_symlink(link) == "anon_inode:[io_uring]");
            }
        }
    }
}

TEST_CASE("a client's descriptor is closed once", "[promise]") {
    require_io_uring();
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "close");
    for (int i = 0; i < 3; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    wait_until_at_rest(server);
    for (const std::string& call : trace.lines()) {
        CAPTURE(call);
        REQUIRE(call.find(" EBADF ") == std::string::npos);
    }
    REQUIRE(server.count_clients() == 0);
}

TEST_CASE("what the kernel has refused to take is handed over again, whoever is silent",
          "[promise]") {
    require_io_uring();
    require_strace();
    const std::string error = GENERATE("EAGAIN", "EBUSY");
    CAPTURE(error);
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    // The first one would hand over the send, the second one the next read.
    const std::string which = GENERATE("1", "2");
    const FaultInjection refused(server, "io_uring_enter:error=" + error + ":when=" + which);
    REQUIRE(client.exchange("hello") == "hello");
    REQUIRE(client.exchange("still there?") == "still there?");
    REQUIRE(refused.count() == 1);
}

TEST_CASE("socket: to take over a client, to read and to send needs no memory", "[promise]") {
    require_io_uring();
    Connection connection;
    connection.say("x");
    time_outs.reserve(100);  // So that to note one needs no memory either.
    int count = -1;
    Reactor reactor;
    reactor.start(count_allocations_of_a_visit(reactor, std::move(connection.ours), count));
    reactor.run();
    REQUIRE(count == 0);
}

TEST_CASE("waiter: nothing is asked of it, it is resumed", "[promise]") {
    STATIC_REQUIRE_FALSE(std::is_polymorphic_v<Waiter>);
    STATIC_REQUIRE(sizeof(Waiter) == 3 * sizeof(void*));  // Two links, and a handle.
}

TEST_CASE("loop: what has been completed while a destructor waited has its turn", "[promise]") {
    require_io_uring();
    REQUIRE(Counted::alive == 0);
    std::array<Connection, 3> pairs;
    std::string noted;
    Reactor reactor;
    const Socket one(reactor, std::move(pairs[0].ours));
    const Socket two(reactor, std::move(pairs[1].ours));
    const Socket three(reactor, std::move(pairs[2].ours));
    std::optional<Task<>> waits(read_a_byte(one, "never", noted));
    begin(*waits);
    reactor.start(read_a_byte(two, "resumed", noted));
    reactor.start(destroy_when_a_byte_has_come(three, waits, pairs[1]));
    reactor.start(end_after(reactor, std::chrono::milliseconds{20}));
    REQUIRE_THROWS_AS(reactor.run(), Enough);
    REQUIRE(noted == "resumed");
    REQUIRE(time_outs.front() == 0);  // The thread has not slept before that.
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("each round of the loop makes two system calls where one could do", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,poll,ppoll,io_uring_enter");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    // Of the first one strace may see the end alone, or nothing.
    std::size_t waits = 0;
    for (const std::string name : {"epoll_wait", "epoll_pwait", "poll", "ppoll"}) {
        waits += trace.count(name);
    }
    REQUIRE((waits == 9 || waits == 10));
    REQUIRE(trace.count("io_uring_enter") == 20);
}
