// From `robust` on, no client can end the server.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "chapters/scenarios.hpp"
#include "contract/failing_calls.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

namespace {

/// Connects clients to a server without a free descriptor until it says so. Some are still served:
/// Linux takes the descriptor before a blocking accept() goes to sleep.
void have_it_say_what_it_lacks(const Server& server) {
    wait_until("the server says what it lacks", [&] {
        Client client(server);
        client.send("hello");
        client.half_close();
        return !server.diagnostics().empty();
    });
}

/// How many accept clients, and may each say once what they lack: one, as a rule. In `prefork`
/// each worker does, with the listener of all; in `per-core` each has a listener of its own.
std::size_t count_accepting(const Server& server) {
    wait_until_at_rest(server);
    return std::max(proc::children(server.pid()).size(), proc::count_sockets(server.pid()));
}

}  // namespace

TEST_CASE("a client that resets before it is accepted harms nobody",
          "[contract][wire][from-robust]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        server.stop_all();  // So that it certainly has not accepted yet.
        Client(server).reset();
        server.continue_all();
        require_echo(server);
    }
}

TEST_CASE("a client that resets with its echo unread harms nobody",
          "[contract][wire][from-robust]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        client.send(random_bytes(1000));
        client.receive(1);
        client.reset();
        require_echo(server);
    }
}

TEST_CASE("a client that resets in the middle of a long echo harms nobody",
          "[contract][wire][from-robust]") {
    const Server server;
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        client.exchange(random_bytes(512 * 1024));
        client.send_some(random_bytes(512 * 1024));
        client.reset();
        require_echo(server);
    }
}

TEST_CASE("a client that sends, closes and never reads harms nobody",
          "[contract][wire][from-robust]") {
    const Server server;
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        client.send(random_bytes(100 * 1024));
        client.close();
        require_echo(server);
    }
}

TEST_CASE("a client that sends for ever and never reads is held back, and harms nobody",
          "[contract][wire][from-robust]") {
    const Server server;
    {
        Client greedy(server);
        send_until_server_is_held_back(greedy);
        greedy.reset();
    }
    require_echo(server);
}

TEST_CASE("a client that is gone before it is answered harms nobody",
          "[contract][wire][from-robust]") {
    require_io_uring();
    REQUIRE(client_gone_before_it_is_answered(chapter_under_test()) == "the server lives");
}

TEST_CASE("a send that a stop cuts short is taken up again", "[contract][wire][from-robust]") {
    require_io_uring();
    REQUIRE(stopped_and_continued_while_sending(chapter_under_test()) == "every byte came back");
}

TEST_CASE("an error of a client's connection is reported with the client's address",
          "[contract][from-robust][own-echo]") {
    const Server server;
    Client client(server);
    client.exchange("hello");
    client.reset();
    wait_until("the server reports the client", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: [a-z]+: Connection reset by peer\n"));
}

TEST_CASE("writing to a client that is gone is an error of that client and no signal",
          "[contract][from-robust][own-echo]") {
    const Server server;
    Client client(server);
    client.exchange("hello");
    server.stop_all();
    client.send(random_bytes(100 * 1024));
    client.half_close();
    client.close();
    server.continue_all();
    wait_until("the server reports the client", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(
        server.diagnostics(),
        Matches("client 127\\.0\\.0\\.1:[0-9]+: [a-z]+: (Broken pipe|Connection reset by peer)\n"));
}

TEST_CASE("a client that leaves in good order is not reported", "[contract][from-robust]") {
    const Server server;
    for (int i = 0; i < 10; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    wait_until_at_rest(server);
    REQUIRE(server.diagnostics().empty());
}

namespace {

/// Clients come, each with an echo, until three of the calls have been interrupted.
void require_made_again(const std::string& calls) {
    require_strace();
    const Server server;
    const FaultInjection interrupted(server, calls + ":error=EINTR:when=1+2");
    wait_until("three calls have been interrupted", [&] {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
        return interrupted.count() >= 3;
    });
    REQUIRE(server.diagnostics().empty());
}

}  // namespace

TEST_CASE("an accept that a signal interrupts is made again",
          "[contract][from-robust][own-echo][accept-calls]") {
    require_made_again(accepting);
}

TEST_CASE("a read that a signal interrupts is made again",
          "[contract][from-robust][own-echo][read-calls]") {
    require_made_again(receiving);
}

TEST_CASE("a send that a signal interrupts is made again",
          "[contract][from-robust][own-echo][send-calls]") {
    require_made_again(sending);
}

TEST_CASE("a wait that a signal interrupts is begun again", "[contract][from-select]") {
    require_strace();
    const Server server;
    const FaultInjection interrupted(server, waiting + ":error=EINTR:when=1+2");
    wait_until("three calls have been interrupted", [&] {
        require_echo(server);
        return interrupted.count() >= 3;
    });
    REQUIRE(server.diagnostics().empty());
}

namespace {

/// The first of the calls fails with this error, and the client of whom that is told is reported
/// with these words.
void require_end_of_one_client(const std::string& calls, const std::string& error,
                               const std::string& words) {
    require_strace();
    CAPTURE(calls, error);
    const Server server;
    {
        // Gone before the next client comes: strace counts the calls of each process for itself.
        const FaultInjection failed(server, calls + ":error=" + error + ":when=1");
        Client client(server);
        client.send("hello");
        wait_until("the server reports the client", [&] { return !server.diagnostics().empty(); });
    }
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: [a-z]+: " + words + "\n"));
    require_echo(server);
}

}  // namespace

TEST_CASE("whatever the read of a client fails with ends that client alone",
          "[contract][from-robust][own-echo][read-calls]") {
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"ECONNRESET", "Connection reset by peer"},
        {"ETIMEDOUT", "Connection timed out"},
        {"EHOSTUNREACH", "No route to host"},
    }));
    require_end_of_one_client(receiving, error, words);
}

TEST_CASE("whatever the send to a client fails with ends that client alone",
          "[contract][from-robust][own-echo][send-calls]") {
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"EPIPE", "Broken pipe"},
        {"ETIMEDOUT", "Connection timed out"},
    }));
    require_end_of_one_client(sending, error, words);
}

TEST_CASE("a connection that fails before it is accepted does not stop the server",
          "[contract][from-robust][accept-calls]") {
    require_strace();
    const std::string error =
        GENERATE("ECONNABORTED", "EPROTO", "ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET",
                 "EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH", "EPERM");
    CAPTURE(error);
    const Server server;
    const FaultInjection failed(server, accepting + ":error=" + error + ":when=1+2");
    wait_until("three calls have failed", [&] {
        require_echo(server);
        return failed.count() >= 3;
    });
}

TEST_CASE("a shortage while accepting is said once, and the client is served later",
          "[contract][from-robust][accept-calls]") {
    require_strace();
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"EMFILE", "Too many open files"},
        {"ENFILE", "Too many open files in system"},
        {"ENOBUFS", "No buffer space available"},
        {"ENOMEM", "Cannot allocate memory"},
    }));
    CAPTURE(error);
    const Server server;
    const std::size_t accepting_at_once = count_accepting(server);
    // The first calls of each process, one after another.
    const FaultInjection shortage(server, accepting + ":error=" + error + ":when=1..3");
    wait_until("three calls have failed", [&] {
        require_echo(server);
        return shortage.count() >= 3;
    });
    require_echo(server);
    // strace writes down the failure before the server learns of it.
    wait_until("the server says what it lacks", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), Matches("(accept, trying again: " + words + "\n)+"));
    REQUIRE(count_lines(server.diagnostics()) <= accepting_at_once);
}

TEST_CASE("without a free descriptor the server waits, and serves as soon as there is one",
          "[contract][from-robust]") {
    const Server server(with_descriptors_for(0));
    const std::size_t accepting_at_once = count_accepting(server);
    have_it_say_what_it_lacks(server);
    REQUIRE_THAT(server.diagnostics(),
                 ContainsSubstring("accept, trying again: Too many open files\n"));
    wait_until_at_rest(server);
    REQUIRE(count_lines(server.diagnostics()) <= accepting_at_once);  // Each says it once.

    server.limit(RLIMIT_NOFILE, 64);
    require_echo(server);
}

TEST_CASE("a server without a free descriptor does not spin", "[contract][from-robust][sleeps]") {
    const Server server(with_descriptors_for(0));
    have_it_say_what_it_lacks(server);
    wait_until_it_does_not_spin(server);
}

TEST_CASE("a server whose stderr nobody reads any more lives on", "[contract][wire][from-robust]") {
    require_io_uring();
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const Fd writing_end{ends[1]};
    ::close(ends[0]);
    const Server server({.stderr_descriptor = writing_end.get()});
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        client.exchange("hello");
        client.reset();
        require_echo(server);
    }
}

TEST_CASE("a shortage that comes again after a client was served is said again",
          "[contract][from-nonblocking][accept-calls]") {
    require_strace();
    const Server server;
    for (std::size_t times = 1; times <= 2; ++times) {
        {
            const FaultInjection shortage(server, accepting + ":error=EMFILE:when=1..2");
            wait_until("two calls have failed", [&] {
                require_echo(server);
                return shortage.count() >= 2;
            });
        }
        require_echo(server);
        wait_until("the server has said so",
                   [&] { return count_lines(server.diagnostics()) == times; });
    }
}
