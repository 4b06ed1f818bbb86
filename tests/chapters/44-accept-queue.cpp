// Chapter 44: nobody new can connect, and those in the accept queue are served.

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
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
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

constexpr const char* a_day = "86400000";  // milliseconds

StartSettings with_drain_timeout(const std::string& milliseconds) {
    return {.arguments = {"--port", "0", "--drain-timeout", milliseconds}};
}

Fd make_listener() {
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::bind(fd.get(), reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(::listen(fd.get(), SOMAXCONN), "listen");
    return fd;
}

/// A connection that is being made, without waiting for it.
Fd connect_to(const Fd& listener) {
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    Fd fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")};
    if (::connect(fd.get(), address.get(), address.length) == -1 && errno != EINPROGRESS) {
        throw failed_call(errno, "connect");
    }
    return fd;
}

bool is_connected(const Fd& fd) {
    Address address;
    return ::getpeername(fd.get(), address.get(), &address.length) == 0;
}

Task<> accept_all(Acceptor& acceptor, std::vector<int>& results, std::vector<Fd>& clients) {
    while (true) {
        Address address;
        const int result = co_await acceptor.accept(address);
        results.push_back(result);
        if (result < 0) {
            co_return;
        }
        clients.emplace_back(result);
    }
}

/// How many of five clients in the accept queue a server that is told to stop serves.
int serve_the_queue(const Chapter& chapter) {
    Server server(chapter, with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    server.signal(SIGTERM);
    server.continue_all();
    int served = 0;
    for (Client& client : clients) {
        try {
            served += client.receive_to_end() == "hello" ? 1 : 0;
        } catch (const std::system_error&) {
            // A reset.
        }
    }
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    return served;
}

}  // namespace

TEST_CASE("those in the accept queue are served, who were reset before", "[why]") {
    require_io_uring();
    REQUIRE(serve_the_queue(chapter_before()) <= 1);  // The accept that was in flight.
    REQUIRE(serve_the_queue(chapter_under_test()) == 5);
}

TEST_CASE("closed queue: those who have connected are accepted, and then nobody", "[promise]") {
    require_io_uring();
    Reactor reactor;
    const Fd listener = make_listener();
    Acceptor acceptor(reactor, Fd{check(::dup(listener.get()), "dup")});
    std::vector<Fd> waiting;
    for (int i = 0; i < 10; ++i) {
        waiting.push_back(connect_to(listener));
    }
    acceptor.close_queue();
    const Fd late = connect_to(listener);
    std::vector<int> results;
    std::vector<Fd> clients;
    reactor.start(accept_all(acceptor, results, clients));
    reactor.run();
    REQUIRE(clients.size() == 10);
    REQUIRE(results.back() == -EAGAIN);
    REQUIRE_FALSE(is_connected(late));  // Its SYN has been dropped: it is not refused, it waits.
}

TEST_CASE("closed queue: whoever waits for a client is told that none will come", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Acceptor acceptor(reactor, make_listener());
    std::vector<int> results;
    std::vector<Fd> clients;
    reactor.start(accept_all(acceptor, results, clients));
    reactor.start([](Reactor& loop, Acceptor& closes) -> Task<> {
        co_await loop.sleep_for(std::chrono::milliseconds{1});
        closes.close_queue();
    }(reactor, acceptor));
    reactor.run();
    REQUIRE(results == std::vector<int>{-EAGAIN});
}

TEST_CASE("nobody gets in between the last accept and the close", "[promise]") {
    require_io_uring();
    require_strace();
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    // The first close is that of the listener. It waits for half a second.
    const SystemCallTrace trace(server, "accept4,close", "close:delay_enter=500000");
    server.signal(SIGTERM);
    wait_until("the queue is empty", [&] { return trace.count("accept4") == 1; });
    std::string late = "connected";
    try {
        const Client client(server);
    } catch (const std::system_error& error) {
        late = error.code().message();
    }
    REQUIRE(late == "Connection refused");
    server.wait_for_exit();  // Not its code: the leak sanitizer cannot work beside strace.
}

TEST_CASE("a client that has connected behind the filter can still send and receive", "[promise]") {
    require_io_uring();
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.stop_all();
    Client client(server);
    server.signal(SIGTERM);
    server.continue_all();
    REQUIRE(client.receive_to_end().empty());  // Nothing had come of it at the signal.
    client.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("silent clients keep their buffers", "[limit]") {
    require_io_uring();
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "each silent client keeps a buffer");
}
