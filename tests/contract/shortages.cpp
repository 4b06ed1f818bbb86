// No shortage that a client or the machine can cause ends the server or harms another client.

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "contract/failing_calls.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::StartsWith;

namespace {

std::size_t count_failed_allocations(const Server& server) {
    const std::string words = server.diagnostics();
    const std::string said = "an allocation has failed\n";
    std::size_t count = 0;
    for (std::size_t at = words.find(said); at != std::string::npos;
         at = words.find(said, at + 1)) {
        ++count;
    }
    return count;
}

/// What a client does that may be turned away.
void try_an_echo(const Server& server) {
    try {
        Client client(server);
        client.exchange("hello");
        client.half_close();
        client.receive_to_end();
    } catch (const std::system_error&) {
        // Its connection was reset.
    }
}

}  // namespace

TEST_CASE("a server that lacks descriptors at its start says so, and announces nothing",
          "[contract][from-robust]") {
    for (rlim_t limit = 4; limit <= 12; ++limit) {
        CAPTURE(limit);
        Program server(chapter_under_test().server, {.max_descriptors = limit});
        const std::optional<std::string> line = server.try_read_line();
        if (!line) {
            REQUIRE(server.wait_for_exit() == "exit 1");
            REQUIRE_THAT(server.diagnostics(), StartsWith("error: "));
            continue;
        }
        // Then it lives, whoever comes.
        const Endpoint endpoint = parse_ready_line(*line);
        for (int i = 0; i < 3; ++i) {
            const Client client(endpoint);
        }
        Client client(endpoint);
        client.send("hello");
        wait_until("a client is served, since there are descriptors now", [&] {
            server.limit(RLIMIT_NOFILE,
                         64);  // Each time: `prefork` may be starting workers still.
            return client.has_input();
        });
        REQUIRE(client.receive(5) == "hello");
    }
}

TEST_CASE("an allocation that fails when a client comes costs that client at the most",
          "[contract][from-robust]") {
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    require_echo(server);
    wait_until_at_rest(server);  // Or else it is one of its start that fails.
    std::size_t failed = 0;
    for (int which = 1; which <= 100; ++which) {
        CAPTURE(which);
        server.fail_allocation(which);
        try_an_echo(server);
        server.fail_allocation(0);
        require_echo(server);
        const std::size_t failed_now = count_failed_allocations(server);
        if (failed_now == failed) {
            return;  // A client takes fewer allocations than that.
        }
        failed = failed_now;
    }
    FAIL("a client takes more than a hundred allocations");
}

TEST_CASE("as long as accept() may not be called, a server neither ends nor spins",
          "[contract][from-robust][accept-calls][sleeps]") {
    require_strace();
    const Server server;
    const FaultInjection forbidden(server, accepting + ":error=EPERM");
    const Client waits(server);
    wait_until("accept() has failed", [&] { return forbidden.count() >= 2; });
    wait_until_it_does_not_spin(server);
}

TEST_CASE("connections that fail again and again as they are accepted keep no other client waiting",
          "[contract][from-nonblocking][accept-calls]") {
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const FaultInjection failed(server, accepting + ":error=ECONNABORTED");
    const Client another(server);
    wait_until("accept() has failed again and again", [&] { return failed.count() >= 10; });
    REQUIRE(client.exchange("still there?") == "still there?");
}

namespace {

/// Has the one allocation fail without which the server cannot wait for the next client, and it
/// says so. Which one that is depends on what the client before has left: so all are tried.
void let_waiting_fail(const Server& server) {
    const std::string words = "accept, trying again: Cannot allocate memory\n";
    const std::size_t said = server.diagnostics().size();
    for (int which = 1; server.diagnostics().find(words, said) == std::string::npos; ++which) {
        REQUIRE(which <= 100);
        wait_until_at_rest(server);
        server.fail_allocation(which);
        const Client client(server);
        wait_until_at_rest(server);
        server.fail_allocation(0);
    }
}

}  // namespace

TEST_CASE("when memory was short, and is short again after other clients, it is said again",
          "[contract][from-result][accept-calls]") {
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    for (int i = 0; i < 2; ++i) {
        let_waiting_fail(server);
        Client next(server);
        REQUIRE(next.exchange("hello") == "hello");
    }
}

TEST_CASE(
    "without memory to wait for the next client the server waits a while before it tries again",
    "[contract][from-result][accept-calls]") {
    require_strace();
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    const SystemCallTrace trace(server, "accept4,?epoll_wait,epoll_pwait,write,writev");
    let_waiting_fail(server);
    const std::vector<std::string> calls = trace.lines();
    const auto said = std::find_if(calls.begin(), calls.end(), [](const std::string& call) {
        return call.find("accept, trying again") != std::string::npos;
    });
    REQUIRE(said != calls.end());
    REQUIRE(said + 1 != calls.end());
    const std::string& next = *(said + 1);
    CAPTURE(next);
    REQUIRE(next.starts_with("epoll_"));
    REQUIRE(next.find(", 0)") == std::string::npos);  // And it sleeps.
}
