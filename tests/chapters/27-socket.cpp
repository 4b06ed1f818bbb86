// Chapter 27: a socket says what can be awaited of it, and accept is one of these things.

#include "runtime/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "address.hpp"
#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/task.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

/// A socket that listens, as common/ makes it: accept(2) on it waits.
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

bool is_nonblocking(const Fd& fd) {
    return (check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL") & O_NONBLOCK) != 0;
}

/// Greets everybody who comes to a door, until `count` have come.
Task<> greet_visitors(const Acceptor& door, std::string name, int count,
                      std::vector<std::string>& heard) {
    std::array<char, 16> buffer;
    for (int i = 0; i < count; ++i) {
        Address address;
        const int visitor = co_await door.accept(address);
        const Socket socket(door.reactor(), Fd{visitor});
        const std::size_t received = co_await socket.read(buffer);
        heard.push_back(name + ": " + std::string(buffer.data(), received));
        co_await socket.send(std::span<const char>(buffer).first(received));
    }
}

/// What the accepts came to, one after another.
struct Accepted {
    std::vector<int> results;
    std::vector<std::string> from;
    bool some_block = false;
};

Task<> accept_some(const Acceptor& acceptor, int count, Accepted& accepted) {
    for (int i = 0; i < count; ++i) {
        Address address;
        address.length = 0;  // As if it had been used for something else.
        const int result = co_await acceptor.accept(address);
        accepted.results.push_back(result);
        if (result >= 0) {
            const Fd client{result};
            accepted.from.push_back(to_string(address));
            accepted.some_block = accepted.some_block || !is_nonblocking(client);
        }
    }
}

/// Lets the others have a turn, by waiting for one byte of somebody; then connects to the listener.
Task<> connect_later(const Socket& socket, const Fd& listener, Fd& client) {
    std::array<char, 1> byte;
    co_await socket.read(byte);
    client = connect_to(listener);
}

Task<> note_accepts(const Acceptor& acceptor, int count, std::string& noted) {
    co_await acceptor.event();
    for (int i = 0; i < count; ++i) {
        Address address;
        const Fd client{co_await acceptor.accept(address)};
        noted += 'a';
    }
}

Task<> note_reads(const Socket& socket, int count, std::string& noted) {
    co_await socket.event();
    std::array<char, 1> byte;
    for (int i = 0; i < count; ++i) {
        co_await socket.read(byte);
        noted += 'r';
    }
}

/// Reads to the end of the file, and closes.
Task<> read_all(Reactor& reactor, Fd fd, std::string& heard) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 4> buffer;
    while (const std::size_t received = co_await socket.read(buffer)) {
        heard.append(buffer.data(), received);
    }
}

Task<> send_into_the_void(Reactor& reactor, Fd fd) {
    const Socket socket(reactor, std::move(fd));
    co_await socket.send(std::span("x", 1));
}

/// The longest piece of a text that has one letter only.
std::ptrdiff_t longest_run(const std::string& text) {
    std::ptrdiff_t longest = 0;
    for (auto from = text.begin(); from != text.end();) {
        const char letter = *from;
        const auto to = std::find_if(from, text.end(), [=](char next) { return next != letter; });
        longest = std::max(longest, to - from);
        from = to;
    }
    return longest;
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

/// Whether this can be written with a `T`. In a template, what would be an error is an answer here.
template <typename T>
struct Can {
    static constexpr bool accept = requires(const T& t, Address& address) { t.accept(address); };
    static constexpr bool read = requires(const T& t, std::span<char> buffer) { t.read(buffer); };
    static constexpr bool send = requires(const T& t, std::span<const char> bytes) {
        t.send(bytes);
    };
};

/// Without those that the address sanitizer makes whenever something is thrown.
std::vector<std::string> calls_of_a_session(const Chapter& chapter) {
    std::vector<std::string> calls = system_calls_of_a_session(chapter);
    std::erase_if(calls, [](const std::string& call) { return call.starts_with("sigaltstack("); });
    return calls;
}

std::size_t count_in_vain(const SystemCallTrace& trace) {
    const std::vector<std::string> lines = trace.lines();
    return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [](const auto& line) {
        return line.find("EAGAIN") != std::string::npos;
    }));
}

/// A server that has accepted nobody yet finds twenty clients at once: how many it accepts in each
/// turn of the listener.
std::vector<int> clients_in_each_turn(const Chapter& chapter) {
    const Server server(chapter);
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    wait_until_at_rest(server);
    std::vector<int> turns;
    for (const std::string& line : trace.lines()) {
        if (line.starts_with("epoll_")) {
            turns.push_back(0);
        } else if (!turns.empty() && line.find("= -1") == std::string::npos) {
            ++turns.back();
        }
    }
    std::erase(turns, 0);
    return turns;
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before it had sockets",
          "[why]") {
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

// Before, only this chapter's server could accept: the loop around accept4() stood in its main
// file.
TEST_CASE("acceptor: visitors of two doors are awaited, each in a few lines", "[why]") {
    std::vector<std::string> heard;
    Reactor reactor;
    const Acceptor front(reactor, make_listener());
    const Acceptor back(reactor, make_listener());
    reactor.start(greet_visitors(front, "front", 2, heard));
    reactor.start(greet_visitors(back, "back", 1, heard));
    const Fd one = connect_to(front.fd());
    const Fd two = connect_to(back.fd());
    const Fd three = connect_to(front.fd());
    say(one, "Ada");
    say(two, "Barbara");
    say(three, "Grace");
    reactor.run();
    std::sort(heard.begin(), heard.end());
    REQUIRE(heard == std::vector<std::string>{"back: Barbara", "front: Ada", "front: Grace"});
}

// Before, receive(listener, buffer) compiled.
TEST_CASE(
    "what a socket cannot do does not compile: a listener is not read, a client not accepted from",
    "[why]") {
    REQUIRE(Can<Acceptor>::accept);
    REQUIRE_FALSE(Can<Acceptor>::read);
    REQUIRE_FALSE(Can<Acceptor>::send);
    REQUIRE_FALSE(Can<Socket>::accept);
    REQUIRE(Can<Socket>::read);
    REQUIRE(Can<Socket>::send);
    REQUIRE_FALSE(Can<WatchedFd>::read);  // A descriptor alone does not say what it can do.
}

TEST_CASE("a step of the listener's turn is an accept, made or not, and no longer a client",
          "[promise]") {
    require_strace();
    REQUIRE(clients_in_each_turn(chapter_before()) == std::vector<int>{8, 8, 4});
    // The reactor makes the first call of a turn itself, where an accept is what was waited for.
    REQUIRE(clients_in_each_turn(chapter_under_test()) == std::vector<int>{7, 8, 5});
}

TEST_CASE("acceptor: it takes a listener that blocks, and has it block no longer", "[promise]") {
    Fd listener = make_listener();
    REQUIRE_FALSE(is_nonblocking(listener));
    Reactor reactor;
    const Acceptor acceptor(reactor, std::move(listener));
    REQUIRE(is_nonblocking(acceptor.fd()));
}

TEST_CASE("acceptor: a client's descriptor does not block, and its address is put where asked",
          "[promise]") {
    Reactor reactor;
    const Acceptor acceptor(reactor, make_listener());
    const Fd client = connect_to(acceptor.fd());
    Accepted accepted;
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
    REQUIRE_FALSE(accepted.some_block);
}

TEST_CASE("acceptor: a client that comes while it is awaited ends the wait", "[promise]") {
    Reactor reactor;
    Pair pair;
    const Acceptor acceptor(reactor, make_listener());
    const Socket socket(reactor, std::move(pair.ours));
    Accepted accepted;
    Fd client;
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.start(connect_later(socket, acceptor.fd(), client));
    say(pair.theirs, "!");
    REQUIRE(accepted.results.empty());
    reactor.run();
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
}

TEST_CASE("acceptor: a failed accept comes to a negative error number, and the next may succeed",
          "[promise]") {
    Reactor reactor;
    const Acceptor acceptor(reactor, make_listener());
    const Fd client = connect_to(acceptor.fd());
    Accepted accepted;
    {
        const NoMoreDescriptors shortage;
        reactor.start(accept_some(acceptor, 2, accepted));
        REQUIRE(accepted.results == std::vector<int>{-EMFILE, -EMFILE});
    }
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.results.back() >= 0);
    REQUIRE(accepted.from == std::vector<std::string>{to_string(name_of(client))});
}

TEST_CASE("acceptor: a socket that does not listen comes to -EINVAL, without an exception",
          "[promise]") {
    Reactor reactor;
    Pair pair;
    const Acceptor acceptor(reactor, std::move(pair.ours));
    Accepted accepted;
    reactor.start(accept_some(acceptor, 1, accepted));
    reactor.run();
    REQUIRE(accepted.results == std::vector<int>{-EINVAL});
}

TEST_CASE("acceptor: an accept is a step of the turn, as a read is one", "[promise]") {
    std::string noted;
    Reactor reactor;
    Pair pair;
    const Acceptor acceptor(reactor, make_listener());
    const Socket socket(reactor, std::move(pair.ours));
    std::vector<Fd> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(connect_to(acceptor.fd()));
    }
    say(pair.theirs, std::string(20, 'x'));
    reactor.start(note_accepts(acceptor, 20, noted));
    reactor.start(note_reads(socket, 20, noted));
    reactor.run();
    CAPTURE(noted);
    REQUIRE(std::count(noted.begin(), noted.end(), 'a') == 20);
    REQUIRE(std::count(noted.begin(), noted.end(), 'r') == 20);
    REQUIRE(longest_run(noted) <= 8);
}

TEST_CASE("socket: bytes come, then the end of the file, and the descriptor ends with it",
          "[promise]") {
    std::string heard;
    Reactor reactor;
    Pair pair;
    say(pair.theirs, "hello world");
    check(::shutdown(pair.theirs.get(), SHUT_WR), "shutdown");
    reactor.start(read_all(reactor, std::move(pair.ours), heard));
    reactor.run();
    REQUIRE(heard == "hello world");
    char byte = 0;
    REQUIRE(::read(pair.theirs.get(), &byte, 1) == 0);
}

TEST_CASE("socket: a failed send throws, where a failed accept is a number", "[promise]") {
    Reactor reactor;
    Pair pair;
    pair.theirs.close();
    reactor.start(send_into_the_void(reactor, std::move(pair.ours)));
    REQUIRE_THROWS_AS(reactor.run(), std::system_error);
}

TEST_CASE("a socket is a watched descriptor, and no byte larger", "[promise]") {
    REQUIRE(std::is_convertible_v<const Socket&, const WatchedFd&>);
    REQUIRE(std::is_convertible_v<const Acceptor&, const WatchedFd&>);
    REQUIRE_FALSE(std::is_convertible_v<const WatchedFd&, const Socket&>);
    REQUIRE(sizeof(Socket) == sizeof(WatchedFd));
    REQUIRE(sizeof(Acceptor) == sizeof(WatchedFd));
    REQUIRE_FALSE(std::is_copy_constructible_v<Socket>);
}

TEST_CASE("a client whom epoll cannot take ends alone, and is called by its address", "[promise]") {
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

TEST_CASE("each echo makes a call that finds nothing", "[limit]") {
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "all");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    REQUIRE(trace.count("read") == 20);
    REQUIRE(count_in_vain(trace) == 10);
}

TEST_CASE("a client that has said nothing yet costs two calls that find nothing", "[limit]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "accept4,read");
    Client client(server);
    wait_until_at_rest(server);
    REQUIRE(trace.count("accept4") == 2);
    REQUIRE(trace.count("read") == 1);
    REQUIRE(count_in_vain(trace) == 2);  // No second client, and no bytes.
}
