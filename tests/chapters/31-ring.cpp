// Chapter 31: a send is an entry in a ring, and the kernel does it.

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/queue.hpp"
#include "runtime/reactor.hpp"
#include "runtime/ring.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "runtime/waiter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::StartsWith;

namespace {

std::atomic<int> allocations = 0;

}  // namespace

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

/// In this chapter a read is still a system call of ours, and may not block.
Pair nonblocking_pair() {
    Pair pair;
    check(::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK), "fcntl");
    return pair;
}

/// Fills the way to the other end, so that whoever sends has to wait. Returns how many bytes.
std::size_t fill(const Fd& fd) {
    const std::string many(100'000, '.');
    std::size_t bytes = 0;
    while (true) {
        const ssize_t sent = ::send(fd.get(), many.data(), many.size(), MSG_DONTWAIT);
        if (sent == -1) {
            return bytes;
        }
        bytes += static_cast<std::size_t>(sent);
    }
}

/// All that has come, without waiting for more.
std::string take_all(const Fd& fd) {
    std::string bytes;
    std::array<char, 4096> buffer;
    while (true) {
        const ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count <= 0) {
            return bytes;
        }
        bytes.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

/// What ends run() with others still suspended.
struct Done {};

bool has_given_up = false;

/// A test that is going to fail does not wait for ever.
Task<> give_up_in_time(Reactor& reactor) {
    co_await reactor.sleep_for(patience());
    has_given_up = true;
    throw Done();
}

Task<> end_after(Task<> task) {
    co_await task;
    throw Done();
}

/// Runs until this task has ended, whatever the others wait for.
void run_until_end_of(Reactor& reactor, Task<> task) {
    has_given_up = false;
    reactor.start(give_up_in_time(reactor));
    reactor.start(end_after(std::move(task)));
    REQUIRE_THROWS_AS(reactor.run(), Done);
    REQUIRE_FALSE(has_given_up);
}

Task<> send_bytes(const Socket& socket, std::span<const char> bytes) {
    const Counted local;
    co_await socket.send(bytes);
}

Task<> note_error_of_sending(const Socket& socket, std::string& noted) {
    try {
        co_await socket.send(std::span("x", 1));
    } catch (const std::exception& error) {
        noted = error.what();
    }
}

Task<> count_allocations_of_a_send(const Socket& socket, int& count) {
    const int before = allocations;
    co_await socket.send(std::span("x", 1));
    count = allocations - before;
}

/// In a turn that begins with a completion it takes all its steps.
Task<> count_steps_after_a_send(Reactor& reactor, const Socket& socket, int& steps) {
    while (reactor.spend_step()) {
    }
    co_await socket.send(std::span("x", 1));
    while (reactor.spend_step()) {
        ++steps;
    }
}

/// A task that has been begun, and is suspended where it waits: the test may destroy it there.
class Begun {
public:
    explicit Begun(Task<> task) : task_(std::move(task)) {
        task_.operator co_await().await_suspend(std::noop_coroutine()).resume();
    }

private:
    Task<> task_;
};

/// The kernel is to do nothing, and say so.
class Nothing : public Submission {
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_nop(&entry); }
};

/// A send that does not wait the first time that the kernel is asked.
class Impatient : public Submission {
public:
    Impatient(const Fd& ours, const Fd& theirs) : ours_(ours), theirs_(theirs) {}

    int asked() const { return asked_; }

private:
    void describe(io_uring_sqe& entry) override {
        if (++asked_ == 2) {
            take_all(theirs_);
        }
        ::io_uring_prep_send(&entry, ours_.get(), "hello", 5, MSG_DONTWAIT);
    }

    const Fd& ours_;
    const Fd& theirs_;
    int asked_ = 0;
};

/// `co_await Receive(reactor, fd, buffer)`: what recv() would have returned.
class Receive : public Submission {
public:
    Receive(Reactor& reactor, const Fd& fd, std::span<char> buffer)
        : reactor_(reactor), fd_(fd), buffer_(buffer) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        reactor_.submit(*this);
    }

    int await_resume() const noexcept { return result(); }

private:
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_recv(&entry, fd_.get(), buffer_.data(), buffer_.size(), 0);
    }

    Reactor& reactor_;
    const Fd& fd_;
    const std::span<char> buffer_;
};

/// The system calls of fifty clients that send at once and have their echoes, ten times.
struct CallsOfFifty {
    std::size_t reads;
    std::size_t sends;
    std::size_t enters;
    std::size_t all;
};

CallsOfFifty calls_of_fifty(const Chapter& chapter) {
    const Server server(chapter);
    std::vector<Client> clients = connect_clients(server, 50);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "all");
    for (int i = 0; i < 10; ++i) {
        server.stop_all();  // So that all of them are there when it looks.
        for (Client& client : clients) {
            client.send("hello");
        }
        server.continue_all();
        for (Client& client : clients) {
            REQUIRE(client.receive(5) == "hello");
        }
        wait_until_at_rest(server);
    }
    return {trace.count("read"), trace.count("sendto"), trace.count("io_uring_enter"),
            trace.lines().size()};
}

/// The server's end when this call fails with this error.
Run run_without(const std::string& call, const std::string& error) {
    const std::string server = chapter_under_test().server;
    Program strace("strace",
                   {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                  "inject=" + call + ":error=" + error, server, "--port", "0"}});
    Run run;
    run.out = strace.read_to_end();
    run.exit_status = strace.wait_for_exit();
    run.err = strace.diagnostics();
    return run;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string without_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

}  // namespace

TEST_CASE("the sends of fifty clients at once cost one system call, and cost fifty", "[why]") {
    require_io_uring();
    require_strace();
    const CallsOfFifty before = calls_of_fifty(chapter_before());
    CAPTURE(before.reads, before.sends, before.enters, before.all);
    REQUIRE(before.sends == 500);
    REQUIRE(before.all >= 1000);
    const CallsOfFifty now = calls_of_fifty(chapter_under_test());
    CAPTURE(now.reads, now.sends, now.enters, now.all);
    REQUIRE(now.sends == 0);
    REQUIRE(now.enters >= 10);
    REQUIRE(now.enters <= 20);  // A stop may come between the clients of a round.
    REQUIRE(now.all <= 600);
}

TEST_CASE("one client at a time costs as many system calls as before", "[limit]") {
    require_io_uring();
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 30 || before == 29));
    REQUIRE((now == 30 || now == 29));  // epoll_wait, read, io_uring_enter
}

TEST_CASE("each client's bytes cost a read, however many clients send at once", "[limit]") {
    require_io_uring();
    require_strace();
    REQUIRE(calls_of_fifty(chapter_under_test()).reads == 500);
}

TEST_CASE("each newcomer costs an accept4() that finds nobody", "[limit]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "accept4");
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    const std::vector<std::string> calls = trace.lines();
    REQUIRE(std::count_if(calls.begin(), calls.end(), [](const std::string& call) {
                return call.find("EAGAIN") != std::string::npos;
            }) == 10);
}

TEST_CASE("the server and the task are the same to the byte as before", "[promise]") {
    REQUIRE(read_source(chapter_under_test(), "runtime/task.hpp") ==
            read_source(chapter_before(), "runtime/task.hpp"));
    REQUIRE(without_first_line(read_source(chapter_under_test(), "server.cpp")) ==
            without_first_line(read_source(chapter_before(), "server.cpp")));
}

TEST_CASE("send: the kernel is not told of it before the loop hands it over", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(send_bytes(socket, std::span("hello", 5)));
    REQUIRE(Counted::alive == 1);
    REQUIRE(take_all(pair.theirs).empty());
    reactor.run();
    REQUIRE(Counted::alive == 0);
    REQUIRE(take_all(pair.theirs) == "hello");
}

TEST_CASE("send: those of many coroutines are done in the order of their line", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const int room = 200'000;  // For all of them: who has to wait for room may be overtaken.
    check(::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), "setsockopt");
    const Socket socket(reactor, std::move(pair.ours));
    std::string letters(300, ' ');  // More than a ring has entries.
    for (std::size_t i = 0; i < letters.size(); ++i) {
        letters[i] = static_cast<char>('a' + i % 26);
    }
    for (const char& letter : letters) {
        reactor.start(send_bytes(socket, std::span(&letter, 1)));
    }
    reactor.run();
    REQUIRE(take_all(pair.theirs) == letters);
}

TEST_CASE("send: it waits in the kernel until there is room", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const std::size_t filled = fill(pair.ours);
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(send_bytes(socket, std::span("hello", 5)));
    run_until_end_of(reactor, [](Reactor& loop) -> Task<> {
        co_await loop.sleep_for(std::chrono::milliseconds{1});
    }(reactor));
    REQUIRE(Counted::alive == 1);  // It has been handed over, and is not complete.
    std::string received = take_all(pair.theirs);
    run_until_end_of(reactor, [](Reactor& loop) -> Task<> {
        while (Counted::alive > 0) {
            co_await loop.sleep_for(std::chrono::milliseconds{1});
        }
    }(reactor));
    received += take_all(pair.theirs);
    REQUIRE(received == std::string(filled, '.') + "hello");
}

TEST_CASE("submit: a completion wakes the loop from its sleep, without any other event",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Pair pair;  // epoll does not know of it.
    std::array<char, 8> buffer{};
    std::atomic<bool> has_begun = false;
    reactor.start([](Reactor& loop, std::atomic<bool>& begun) -> Task<> {
        co_await loop.sleep_for(std::chrono::milliseconds{1});
        begun = true;
    }(reactor, has_begun));
    const std::jthread writer([&] {
        const Deadline deadline;
        while (!has_begun && !deadline.has_passed()) {
        }
        check(::write(pair.theirs.get(), "hello", 5), "write");
    });
    int received = 0;
    run_until_end_of(reactor,
                     [](Reactor& loop, const Fd& fd, std::span<char> into, int& count) -> Task<> {
                         count = co_await Receive(loop, fd, into);
                     }(reactor, pair.ours, buffer, received));
    REQUIRE(received == 5);
}

TEST_CASE("send: its error is its result, whatever errno says", "[promise]") {
    require_io_uring();
    std::string noted;
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const Socket socket(reactor, std::move(pair.ours));
    pair.theirs.close();
    errno = ENOTTY;
    reactor.start(note_error_of_sending(socket, noted));
    reactor.run();
    REQUIRE(noted == "send: Broken pipe");
}

TEST_CASE("send: it needs no memory", "[promise]") {
    require_io_uring();
    int count = -1;
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(count_allocations_of_a_send(socket, count));
    reactor.run();
    REQUIRE(count == 0);
}

TEST_CASE("send: a coroutine goes on with a whole turn", "[promise]") {
    require_io_uring();
    std::array<int, 2> steps{};
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const Socket socket(reactor, std::move(pair.ours));
    for (int& count : steps) {
        reactor.start(count_steps_after_a_send(reactor, socket, count));
    }
    reactor.run();
    // The eighth is the one at which the others have their turn.
    REQUIRE(steps == std::array<int, 2>{7, 7});
}

TEST_CASE("send: one that is destroyed before it was handed over is not made", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair = nonblocking_pair();
    const Socket socket(reactor, std::move(pair.ours));
    {
        const Begun begun(send_bytes(socket, std::span("lost", 4)));
        reactor.start(send_bytes(socket, std::span("hello", 5)));
        REQUIRE(Counted::alive == 2);
    }
    REQUIRE(Counted::alive == 1);
    reactor.run();
    REQUIRE(take_all(pair.theirs) == "hello");
}

TEST_CASE("send: of one that is destroyed in flight, the kernel sends what its memory has become",
          "[limit]") {
    require_io_uring();
    std::string bytes = "my own";  // Outlives the coroutine, so that it can be written to.
    std::string received;
    Reactor reactor;
    Pair pair = nonblocking_pair();
    fill(pair.ours);
    const Socket socket(reactor, std::move(pair.ours));
    {
        const Begun begun(send_bytes(socket, bytes));
        run_until_end_of(reactor, [](Reactor& loop) -> Task<> {
            co_await loop.sleep_for(std::chrono::milliseconds{1});
        }(reactor));
    }
    REQUIRE(Counted::alive == 0);
    bytes = "others";  // As another coroutine would, to which the memory was given.
    wait_until("the kernel has sent something behind what was there", [&] {
        received += take_all(pair.theirs);
        return received.back() != '.';
    });
    REQUIRE(received.substr(received.size() - 6) == "others");
    // No loop may run any more: the completion that has come has the address of a frame that is
    // gone.
}

TEST_CASE("ring: what stands in line is handed over, done, and told of in its order", "[promise]") {
    require_io_uring();
    Ring ring;
    Queue<Waiter> ready;
    std::array<Nothing, 3> nothings;
    for (Nothing& nothing : nothings) {
        ring.add(nothing);
    }
    REQUIRE(ring.has_line());
    ring.take_completions(ready);
    REQUIRE(ready.empty());  // The kernel knows of nothing yet.
    ring.submit();
    REQUIRE_FALSE(ring.has_line());
    ring.take_completions(ready);
    for (Nothing& nothing : nothings) {
        REQUIRE(&ready.pop() == &nothing);
        REQUIRE(nothing.result() == 0);
    }
    REQUIRE(ready.empty());
}

TEST_CASE("ring: a full submission queue is no case of its own", "[promise]") {
    require_io_uring();
    Ring ring;
    Queue<Waiter> ready;
    std::vector<std::unique_ptr<Nothing>> nothings;
    for (int i = 0; i < 500; ++i) {
        nothings.push_back(std::make_unique<Nothing>());
        ring.add(*nothings.back());
    }
    ring.submit();
    REQUIRE_FALSE(ring.has_line());
    ring.take_completions(ready);
    for (const auto& nothing : nothings) {
        REQUIRE(&ready.pop() == nothing.get());
    }
    REQUIRE(ready.empty());
}

TEST_CASE("ring: of more completions than there are places for, none is lost", "[promise]") {
    require_io_uring();
    Ring ring;
    Queue<Waiter> ready;
    std::vector<std::unique_ptr<Nothing>> nothings;
    for (int i = 0; i < 2000; ++i) {
        nothings.push_back(std::make_unique<Nothing>());
        ring.add(*nothings.back());
    }
    std::size_t count = 0;
    const Deadline deadline;
    while (count < nothings.size() && !deadline.has_passed()) {
        ring.submit();
        ring.take_completions(ready);
        for (; !ready.empty(); ++count) {
            REQUIRE(&ready.pop() == nothings[count].get());
        }
    }
    REQUIRE(count == nothings.size());
}

TEST_CASE("ring: its descriptor is readable while there are completions", "[promise]") {
    require_io_uring();
    Ring ring;
    const auto is_readable = [&ring] {
        pollfd look{.fd = ring.fd(), .events = POLLIN, .revents = 0};
        return check(::poll(&look, 1, 0), "poll") == 1;
    };
    REQUIRE_FALSE(is_readable());
    Nothing nothing;
    ring.add(nothing);
    ring.submit();
    REQUIRE(is_readable());
    Queue<Waiter> ready;
    ring.take_completions(ready);
    REQUIRE_FALSE(is_readable());
}

TEST_CASE("ring: what comes back with EAGAIN is asked again, and its waiter waits on",
          "[promise]") {
    require_io_uring();
    Ring ring;
    Queue<Waiter> ready;
    const Pair pair;
    fill(pair.ours);
    Impatient send(pair.ours, pair.theirs);
    ring.add(send);
    ring.submit();
    ring.take_completions(ready);
    REQUIRE(ready.empty());
    REQUIRE(ring.has_line());
    ring.submit();
    ring.take_completions(ready);
    REQUIRE(send.asked() == 2);
    REQUIRE(send.result() == 5);
    REQUIRE(take_all(pair.theirs) == "hello");
    REQUIRE(&ready.pop() == &send);
}

TEST_CASE("ring: to hand over, and to take completions, needs no memory", "[promise]") {
    require_io_uring();
    Ring ring;
    Queue<Waiter> ready;
    std::array<Nothing, 300> nothings;
    const int before = allocations;
    for (Nothing& nothing : nothings) {
        ring.add(nothing);
    }
    ring.submit();
    ring.take_completions(ready);
    while (!ready.empty()) {
        ready.pop();
    }
    REQUIRE(allocations == before);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Nothing>);  // The kernel has its address.
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Ring>);
}

TEST_CASE("where the kernel takes nothing for a moment, it is asked again, without an event",
          "[promise]") {
    require_io_uring();
    require_strace();
    const std::string error = GENERATE("EAGAIN", "EBUSY", "EINTR");
    CAPTURE(error);
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection refused(server, "io_uring_enter:error=" + error + ":when=1..5");
    REQUIRE(client.exchange("hello") == "hello");
    REQUIRE(refused.count() == 5);
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("where the kernel takes nothing any more, the server says so and ends", "[promise]") {
    require_io_uring();
    require_strace();
    Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection refused(server, "io_uring_enter:error=EBADF");
    client.send("hello");
    REQUIRE(server.wait_for_exit() == "exit 1");
    // The leak sanitizer has words of its own under strace.
    REQUIRE_THAT(server.diagnostics(), StartsWith("error: io_uring_enter: Bad file descriptor\n"));
}

TEST_CASE("without io_uring the server does not begin, and says which call has failed", "[limit]") {
    require_strace();
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"EPERM", "Operation not permitted"},
        {"ENOSYS", "Function not implemented"},
        {"ENOMEM", "Cannot allocate memory"},
    }));
    const Run run = run_without("io_uring_setup", error);
    // No word of what to do about it follows.
    REQUIRE_THAT(run.err, StartsWith("error: io_uring_setup: " + words + "\n"));
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
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
