// Chapter 23: a coroutine awaits a coroutine, as a function calls a function.

#include "runtime/task.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <coroutine>
#include <csignal>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/coroutine.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

/// Puts a line together out of what comes. Throws when there is no more before the line has ended.
Task read_line(const WatchedFd& from, std::string& line) {
    const Counted local;
    line.clear();
    while (!line.ends_with('\n')) {
        char byte = 0;
        const ssize_t count = ::read(from.fd().get(), &byte, 1);
        if (count == 0) {
            throw std::runtime_error("the last line has no end: " + line);
        }
        if (count == 1) {
            line += byte;
        } else {
            co_await from.event();
        }
    }
}

/// Greets whoever says a name, for ever.
Task greet(const WatchedFd& guests, std::vector<std::string>& heard) {
    const Counted local;
    std::string name;
    while (true) {
        co_await read_line(guests, name);
        heard.push_back("Hello, " + name);
    }
}

Coroutine receive_guests(Reactor& reactor, Fd fd, std::vector<std::string>& heard) {
    const Counted local;
    try {
        const WatchedFd guests(reactor, std::move(fd));
        co_await guests.event();
        co_await greet(guests, heard);
    } catch (const std::runtime_error& error) {
        heard.emplace_back(error.what());
    }
}

/// Where a coroutine can be left, and resumed by the test.
struct Stop {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { stopped = frame; }
    void await_resume() const {}

    void go_on() { std::exchange(stopped, nullptr).resume(); }

    std::coroutine_handle<> stopped;
};

Task stop_at(Stop& stop, Counted parameter) {
    const Counted local = parameter;
    co_await stop;
}

/// Awaits what it is given, and notes that it has gone on.
Coroutine await_one(Task task, std::string& noted) {
    co_await task;
    noted += "on";
}

Coroutine await_in_a_statement(Stop& inside, Stop& behind) {
    co_await stop_at(inside, Counted());
    co_await behind;
}

Task fail(Stop& stop) {
    const Counted local;
    co_await stop;
    throw std::runtime_error("it has failed");
}

Task await_failing(Stop& stop) {
    const Counted local;
    co_await fail(stop);
}

Coroutine catch_failing(Stop& stop, std::string& noted) {
    try {
        co_await await_failing(stop);
        noted = "it has not failed";
    } catch (const std::runtime_error& error) {
        noted = error.what();
    }
}

Task descend(int depth, Stop& bottom) {
    const Counted local;
    if (depth == 1) {
        co_await bottom;
    } else {
        co_await descend(depth - 1, bottom);
    }
}

Task end_at_once() {
    co_return;
}

/// Begins a task as `co_await` does, but by a call.
class Call {
public:
    explicit Call(const Task& task) : awaiter_(task.operator co_await()) {}

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        awaiter_.await_suspend(awaiting).resume();
        ++returned;  // So that it is no tail call.
    }
    void await_resume() const {}

private:
    static inline int returned = 0;

    Task::Awaiter awaiter_;
};

Coroutine transfer_to_tasks(int count) {
    for (int i = 0; i < count; ++i) {
        co_await end_at_once();
    }
}

Coroutine call_tasks(int count) {
    for (int i = 0; i < count; ++i) {
        const Task task = end_at_once();
        co_await Call(task);
    }
}

/// Has a child process do it, with a stack of 1 MiB: what it returns, or how it was killed.
std::string in_a_child(const std::function<std::string()>& work) {
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
    Fd in{ends[0]};
    Fd out{ends[1]};
    const pid_t child = check(::fork(), "fork");
    if (child == 0) {
        ::signal(SIGSEGV, SIG_DFL);  // Catch2 would report it as a failure of this test.
        const rlimit no_core{};
        ::setrlimit(RLIMIT_CORE, &no_core);
        rlimit stack{};
        ::getrlimit(RLIMIT_STACK, &stack);
        stack.rlim_cur = 1024 * 1024;
        ::setrlimit(RLIMIT_STACK, &stack);
        const std::string words = work();
        ::_exit(::write(out.get(), words.data(), words.size()) == -1 ? 1 : 0);
    }
    out.close();
    int status = 0;
    check(::waitpid(child, &status, 0), "waitpid");
    if (WIFSIGNALED(status)) {
        return std::string("killed by SIG") + ::sigabbrev_np(WTERMSIG(status));
    }
    std::array<char, 256> words{};
    const ssize_t count = check(::read(in.get(), words.data(), words.size()), "read");
    return {words.data(), static_cast<std::size_t>(count)};
}

/// Without those that the address sanitizer makes whenever something is thrown, here once more.
std::vector<std::string> calls_of_a_session(const Chapter& chapter) {
    std::vector<std::string> calls = system_calls_of_a_session(chapter);
    std::erase_if(calls, [](const std::string& call) { return call.starts_with("sigaltstack("); });
    return calls;
}

/// What the one at this end of a connection can find out about the other one.
std::string other_end(const Fd& fd) {
    char byte = 0;
    const ssize_t count = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    if (count == 0) {
        return "closed";
    }
    return count == -1 && errno == EAGAIN ? "open" : "unexpected";
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before it had tasks",
          "[why]") {
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

// Before, whoever wanted a line had the loop around `read` in its own body.
TEST_CASE("task: a line is read by a coroutine that is called, and its exception comes up to us",
          "[why]") {
    std::vector<std::string> heard;
    Reactor reactor;
    Pair pair;
    receive_guests(reactor, std::move(pair.ours), heard);
    say(pair.theirs, "Ad");
    reactor.run_once();
    REQUIRE(heard.empty());
    say(pair.theirs, "a\nGrace\nBar");
    reactor.run_once();
    REQUIRE(heard == std::vector<std::string>{"Hello, Ada\n", "Hello, Grace\n"});
    pair.theirs.close();
    reactor.run_once();  // Thrown in read_line, on through greet, caught in receive_guests.
    REQUIRE(heard.size() == 3);
    REQUIRE(heard.back() == "the last line has no end: Bar");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: it begins when it is awaited, and the coroutine that awaits it goes on at its end",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    Stop stop;
    Task task = stop_at(stop, Counted());
    REQUIRE(Counted::alive == 1);  // The parameter lies in the frame. The body has not begun.
    REQUIRE_FALSE(stop.stopped);
    await_one(std::move(task), noted);
    REQUIRE(Counted::alive == 2);
    REQUIRE(noted.empty());
    stop.go_on();
    REQUIRE(noted == "on");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: with it the frame ends, also where nobody has awaited it", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop stop;
    {
        const Task never_awaited = stop_at(stop, Counted());
        REQUIRE(Counted::alive == 1);
    }
    REQUIRE(Counted::alive == 0);
    {
        Task old = stop_at(stop, Counted());
        { const Task now = std::move(old); }
        REQUIRE(Counted::alive == 0);  // The one that it was moved to had the frame.
    }
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: its frame is gone at the end of the statement that awaits it", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop inside;
    Stop behind;
    await_in_a_statement(inside, behind);
    REQUIRE(Counted::alive == 3);  // The argument, the parameter, and the local variable.
    inside.go_on();
    REQUIRE(behind.stopped);
    REQUIRE(Counted::alive == 0);
    behind.go_on();
}

TEST_CASE("task: what it throws is thrown where it is awaited, through every frame up to a handler",
          "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    Stop stop;
    catch_failing(stop, noted);
    REQUIRE(Counted::alive == 2);
    stop.go_on();
    REQUIRE(noted == "it has failed");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: tasks await tasks, a thousand deep", "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    Stop bottom;
    await_one(descend(1000, bottom), noted);
    REQUIRE(Counted::alive == 1000);
    bottom.go_on();  // Resumes the innermost one, and each hands over to the one around it.
    REQUIRE(noted == "on");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: a million that end at once need no more stack than one, by a transfer, not a call",
          "[promise]") {
    constexpr int million = 1'000'000;
    REQUIRE(in_a_child([] {
                call_tasks(million);
                return "done";
            }) == "killed by SIGSEGV");
#if defined(__GNUC__) && !defined(__clang__) && \
    (!defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
    SKIP("g++ makes no tail calls in this build: the stack grows with each task");
#endif
    REQUIRE(in_a_child([] {
                transfer_to_tasks(million);
                return "done";
            }) == "done");
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
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("a broken listener ends the server, which says why", "[promise]") {
    require_strace();
    Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection broken(server, "accept4:error=EBADF");
    server.stop_all();  // So that the connection is there before the server ends.
    const Client next(server);
    server.continue_all();
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(), StartsWith("error: accept: Bad file descriptor\n"));
}

// In a child, since what is lost stays lost.
TEST_CASE("task: with the reactor the innermost coroutine ends, and those around it are lost",
          "[limit]") {
    REQUIRE(in_a_child([] {
                std::vector<std::string> heard;
                Pair pair;
                {
                    Reactor reactor;
                    receive_guests(reactor, std::move(pair.ours), heard);
                    reactor.run_once();
                }
                return std::to_string(Counted::alive) + " of 3 are left, the descriptor is " +
                       other_end(pair.theirs);
            }) == "2 of 3 are left, the descriptor is open");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}

TEST_CASE("clients that come in one go are taken in four at a time", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    std::vector<int> taken = {0};  // In each round.
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("epoll_")) {
            taken.push_back(0);
        } else if (call.find(" = -1 ") == std::string::npos) {
            ++taken.back();
        }
    }
    REQUIRE(*std::max_element(taken.begin(), taken.end()) == 4);
}
