// Chapter 43: what has been received is finished, and the connection ends in good order.

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <span>
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

using namespace std::chrono_literals;

namespace {

constexpr const char* a_day = "86400000";  // milliseconds

StartSettings with_drain_timeout(const std::string& milliseconds) {
    return {.arguments = {"--port", "0", "--drain-timeout", milliseconds}};
}

/// A connection with both ends in the test.
struct Connection {
    Connection() {
        const Fd listener{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        check(::bind(listener.get(), reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
        check(::listen(listener.get(), 1), "listen");
        Address address;
        check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
        theirs = Fd{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
        check(::connect(theirs.get(), address.get(), address.length), "connect");
        ours = Fd{check(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept")};
    }

    void say(const std::string& words) const {
        REQUIRE(::write(theirs.get(), words.data(), words.size()) ==
                static_cast<ssize_t>(words.size()));
    }

    Fd ours;
    Fd theirs;
};

/// Reads up to the end of the file, four bytes at a time, and notes each read.
Task<> note_reads(Socket& socket, std::string& noted) {
    std::array<char, 4> buffer{};
    while (const std::size_t count = co_await socket.read(buffer)) {
        noted += std::string(buffer.data(), count) + ",";
    }
    noted += "end;";
}

Task<> end_input_later(Reactor& reactor, Socket& socket) {
    co_await reactor.sleep_for(1ms);
    socket.end_input();
}

/// What a client that is idle when its server is told to stop finds, and how the server ends.
std::string stop_beside_an_idle_client(const Chapter& chapter) {
    Server server(chapter, with_drain_timeout("300"));
    Client idle(server);
    REQUIRE(idle.exchange("hello") == "hello");
    server.signal(SIGTERM);
    const std::string exit = server.wait_for_exit();
    return exit + ", " + (server.diagnostics().empty() ? "nobody evicted" : server.diagnostics());
}

}  // namespace

TEST_CASE("an idle client does not hold up the end of the server, as it did before", "[why]") {
    require_io_uring();
    REQUIRE(stop_beside_an_idle_client(chapter_before()) == "exit 0, drain: 1 evicted\n");
    REQUIRE(stop_beside_an_idle_client(chapter_under_test()) == "exit 0, nobody evicted");
}

TEST_CASE("end of input: what has come is read first, then the end of the file, once",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    connection.say("hello world");
    socket.end_input();
    connection.say("too late");
    std::string noted;
    reactor.start(note_reads(socket, noted));
    reactor.run();
    REQUIRE(noted == "hell,o wo,rld,end;");
    reactor.start(note_reads(socket, noted));  // Who reads on gets what has come after that.
    socket.end_input();
    reactor.run();
    REQUIRE(noted == "hell,o wo,rld,end;too ,late,end;");
}

TEST_CASE("end of input: whoever waits for bytes finds the end of the file", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    std::string noted;
    reactor.start(note_reads(socket, noted));
    reactor.start(end_input_later(reactor, socket));
    reactor.run();
    REQUIRE(noted == "end;");
}

TEST_CASE("end of input: a client that sends on and on comes to an end all the same", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    connection.say(std::string(1000, 'x'));
    socket.end_input();
    std::size_t count = 0;
    reactor.start([](Socket& ours, const Connection& ends, std::size_t& received) -> Task<> {
        std::array<char, 16> buffer{};
        while (const std::size_t some = co_await ours.read(buffer)) {
            received += some;
            ends.say(std::string(16, 'y'));
        }
    }(socket, connection, count));
    reactor.run();
    REQUIRE(count == 1000);
}

TEST_CASE("end of output: the other side finds the end of the file, and can still send",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    socket.end_output();
    char byte = 0;
    REQUIRE(::read(connection.theirs.get(), &byte, 1) == 0);
    connection.say("hello");
    socket.end_input();
    std::string noted;
    reactor.start(note_reads(socket, noted));
    reactor.run();
    REQUIRE(noted == "hell,o,end;");
}

TEST_CASE("acknowledged: what the other side's kernel has, read or not", "[promise]") {
    require_io_uring();
    Reactor reactor;
    Connection connection;
    Socket socket(reactor, std::move(connection.ours));
    REQUIRE(socket.unacknowledged() == 0);
    reactor.start(
        [](Socket& ours) -> Task<> { co_await ours.send(std::span("hello", 5)); }(socket));
    reactor.run();
    wait_until("the other kernel has it", [&] { return socket.unacknowledged() == 0; });
}

TEST_CASE("a client that goes on sending is answered up to the signal, and not reset",
          "[promise]") {
    require_io_uring();
    Server server(with_drain_timeout(a_day));
    Client client(server);
    REQUIRE(client.exchange("before") == "before");
    server.stop_all();
    client.send("received before the signal is taken");
    wait_until("the server's kernel has it", [&] { return client.unacknowledged() == 0; });
    server.signal(SIGTERM);
    server.continue_all();
    REQUIRE(client.receive_to_end() == "received before the signal is taken");
    client.send("and this is not wanted any more");  // The connection still takes it.
    client.close();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("whoever stands in the accept queue when the server stops is reset", "[limit]") {
    require_io_uring();
    Server server(with_drain_timeout(a_day));
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    server.signal(SIGTERM);
    server.continue_all();
    int resets = 0;
    for (Client& client : clients) {
        try {
            client.receive_to_end();
        } catch (const std::system_error& error) {
            resets += error.code() == std::errc::connection_reset ? 1 : 0;
        }
    }
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(resets >= 1);  // One may have been accepted, by the accept that was in flight.
}
