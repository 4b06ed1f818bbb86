// Chapter 33: the kernel accepts, and the descriptor that it hands over has to have an owner.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "address.hpp"
#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;

namespace {

/// A listening socket on a port that the kernel chooses. It blocks.
Fd make_listener() {
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(::listen(fd.get(), SOMAXCONN), "listen");
    return fd;
}

Address name_of(const Fd& fd) {
    Address address;
    check(::getsockname(fd.get(), address.get(), &address.length), "getsockname");
    return address;
}

/// Somebody who has connected, and may not have been accepted yet.
Fd connect_to(const Fd& listener) {
    Address address = name_of(listener);
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    check(::connect(fd.get(), address.get(), address.length), "connect");
    return fd;
}

/// Whether a connection has ended, from this side.
bool has_ended(const Fd& fd) {
    char byte = 0;
    return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

bool is_nonblocking(const Fd& fd) {
    return (check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL") & O_NONBLOCK) != 0;
}

/// What the accepts came to, one after another.
struct Accepted {
    std::vector<int> results;
    std::vector<std::string> from;
    std::vector<Fd> clients;
};

Task<> accept_some(const Acceptor& acceptor, int count, Accepted& accepted) {
    for (int i = 0; i < count; ++i) {
        Address address;
        address.length = 0;  // As if it had been used for something else.
        const int result = co_await acceptor.accept(address);
        accepted.results.push_back(result);
        if (result >= 0) {
            accepted.clients.emplace_back(result);
            accepted.from.push_back(to_string(address));
        }
    }
}

/// Accepts somebody, and never comes to the end of it: what it notes is noted when it is resumed.
Task<> accept_and_note(const Acceptor& acceptor, std::string& noted) {
    Address address;
    const int result = co_await acceptor.accept(address);
    const Fd client{result};
    noted += "resumed";
}

/// Throws when it has had one turn more.
Task<> fail_after_a_turn(Reactor& reactor) {
    co_await reactor.sleep_for(std::chrono::milliseconds{0});
    throw std::runtime_error("enough");
}

/// While it lives, no further descriptor can be had.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        check(::getrlimit(RLIMIT_NOFILE, &before_), "getrlimit");
        const Fd lowest{check(::dup(STDIN_FILENO), "dup")};
        rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(lowest.get());
        check(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

/// How many accept4() a server makes for a client that comes alone, and how many of them find
/// nobody.
struct Accepts {
    std::size_t all = 0;
    std::size_t in_vain = 0;

    bool operator==(const Accepts&) const = default;
};

Accepts accepts_for_a_newcomer(const Chapter& chapter) {
    const Server server(chapter);
    const SystemCallTrace trace(server, "accept4");
    const Client client(server);
    wait_until("the server has accepted the client", [&] { return server.count_clients() == 1; });
    wait_until_at_rest(server);
    const std::vector<std::string> lines = trace.lines();
    return {lines.size(), static_cast<std::size_t>(
                              std::count_if(lines.begin(), lines.end(), [](const auto& line) {
                                  return line.find("EAGAIN") != std::string::npos;
                              }))};
}

/// Which of these calls a server makes before it says that it is ready.
std::vector<std::string> calls_of_the_start(const Chapter& chapter, const std::string& calls) {
    Program strace("strace", {.arguments = {"-qq", "-o", "/dev/stderr", "-e", "trace=" + calls,
                                            chapter.server, "--port", "0"}});
    strace.read_line();
    std::vector<std::string> lines;
    std::string line;
    for (const char letter : strace.diagnostics()) {
        if (letter == '\n') {
            lines.push_back(std::exchange(line, ""));
        } else {
            line += letter;
        }
    }
    return lines;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

}  // namespace

TEST_CASE("a newcomer costs no call that finds nobody", "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(accepts_for_a_newcomer(chapter_before()) == Accepts{.all = 2, .in_vain = 1});
    REQUIRE(accepts_for_a_newcomer(chapter_under_test()) == Accepts{});
}

TEST_CASE("the listener is handed to the kernel as it is, and neither watched nor changed",
          "[why]") {
    require_io_uring();
    require_strace();
    const auto count = [](const std::vector<std::string>& lines, const std::string& words) {
        return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.find(words) != std::string::npos;
        });
    };
    const std::string calls = "fcntl,epoll_ctl";
    const auto before = calls_of_the_start(chapter_before(), calls);
    CHECK(count(before, "O_NONBLOCK") == 1);
    CHECK(count(before, "EPOLL_CTL_ADD") == 2);  // The ring and the listener.
    const auto now = calls_of_the_start(chapter_under_test(), calls);
    CHECK(count(now, "O_NONBLOCK") == 0);
    CHECK(count(now, "EPOLL_CTL_ADD") == 1);
}

TEST_CASE("server.cpp and task.hpp are the same to the byte as before", "[promise]") {
    for (const std::string name : {"server.cpp", "runtime/task.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("acceptor: it takes a listener that blocks, and waits for nobody but in the kernel",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Acceptor acceptor(reactor, make_listener());
    REQUIRE_FALSE(is_nonblocking(acceptor.fd()));
    Accepted accepted;
    reactor.start(accept_some(acceptor, 1, accepted));
    REQUIRE(accepted.results.empty());  // Nobody has come, and the thread is here.
    const Fd client = connect_to(acceptor.fd());
    reactor.run();
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
}

TEST_CASE("acceptor: clients come in their order, each with its address, and do not block",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Acceptor acceptor(reactor, make_listener());
    std::vector<Fd> clients;
    std::vector<std::string> names;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(connect_to(acceptor.fd()));
        names.push_back(to_string(name_of(clients.back())));
    }
    Accepted accepted;
    reactor.start(accept_some(acceptor, 20, accepted));
    reactor.run();
    REQUIRE(accepted.from == names);
    for (const Fd& client : accepted.clients) {
        REQUIRE(is_nonblocking(client));
    }
}

TEST_CASE("acceptor: a failed accept comes to a negative error number, and the next may succeed",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Acceptor acceptor(reactor, make_listener());
    const Fd client = connect_to(acceptor.fd());
    Accepted accepted;
    {
        const NoMoreDescriptors shortage;
        reactor.start(accept_some(acceptor, 2, accepted));
        reactor.run();
        REQUIRE(accepted.results == std::vector<int>{-EMFILE, -EMFILE});
    }
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
}

TEST_CASE("acceptor: a socket that does not listen comes to -EINVAL, without an exception",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Acceptor acceptor(reactor,
                            Fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")});
    Accepted accepted;
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.results == std::vector<int>{-EINVAL});
}

TEST_CASE("acceptor: a client that has come when its coroutine is destroyed is closed",
          "[promise]") {
    require_io_uring();
    const std::size_t open_before = proc::descriptors(::getpid()).size();
    {
        std::string noted;
        const Fd listener = make_listener();
        Fd client;
        {
            Reactor reactor;
            const Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
            reactor.start(accept_and_note(acceptor, noted));
            reactor.start(fail_after_a_turn(reactor));
            REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
            client = connect_to(listener);
            REQUIRE_FALSE(has_ended(client));
        }
        // The kernel had accepted it: a client in the queue would still be there.
        REQUIRE(noted.empty());
        REQUIRE(has_ended(client));
    }
    REQUIRE(proc::descriptors(::getpid()).size() == open_before);
}

TEST_CASE("acceptor: a coroutine that is destroyed while it waits takes no client any more",
          "[promise]") {
    require_io_uring();
    std::string noted;
    const Fd listener = make_listener();
    {
        Reactor reactor;
        const Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
        reactor.start(accept_and_note(acceptor, noted));
        reactor.start(fail_after_a_turn(reactor));
        REQUIRE_THROWS_AS(reactor.run(), std::runtime_error);
    }
    const Fd client = connect_to(listener);
    REQUIRE_FALSE(has_ended(client));
    Reactor reactor;
    const Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
    Accepted accepted;
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
    REQUIRE(noted.empty());
}

TEST_CASE("each message is told of by epoll, and read by a call", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,read,io_uring_enter");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    REQUIRE(trace.count("read") == 10);
    REQUIRE(trace.count("io_uring_enter") == 10);
}

TEST_CASE("a crowd of newcomers costs a system call for each of them, as before", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "io_uring_enter,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    wait_until("all have been accepted", [&] { return server.count_clients() == 20; });
    wait_until_at_rest(server);
    REQUIRE(trace.count("io_uring_enter") >= 20);
    REQUIRE(trace.count("accept4") == 0);
}
