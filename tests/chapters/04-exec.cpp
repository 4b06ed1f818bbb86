// `exec`: another program serves the client.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

StartSettings with_command(const std::string& command) {
    return {.arguments = {"--port", "0", "--exec", command}};
}

/// What a server with this command answers to `sent`, up to its end of file.
std::string answer_of(const std::string& command, const std::string& sent) {
    const Server server(with_command(command));
    Client client(server);
    client.send(sent);
    client.half_close();
    return client.receive_to_end();
}

/// The one child that serves the one client, once it has become the program.
pid_t child_of(const Server& server) {
    pid_t child = 0;
    wait_until("the child has become another program", [&] {
        const std::vector<pid_t> children = proc::children(server.pid());
        if (children.size() != 1) {
            return false;
        }
        child = children.front();
        return proc::executable(child) != proc::executable(server.pid());
    });
    return child;
}

}  // namespace

TEST_CASE("a client is served by another program", "[why]") {
    REQUIRE(served_by_tr(chapter_before()) == "the server takes no other program");
    REQUIRE(served_by_tr(chapter_under_test()) == "the program's answer: HELLO");
}

TEST_CASE("the program has descriptors 0, 1 and 2, and nothing else", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::vector<proc::Descriptor> descriptors = proc::descriptors(child_of(server));
    REQUIRE(descriptors.size() == 3);
    REQUIRE_THAT(descriptors[0].target, StartsWith("socket:"));
    REQUIRE(descriptors[1].target == descriptors[0].target);
    REQUIRE_THAT(descriptors[2].target, !StartsWith("socket:"));
}

TEST_CASE("the program of one client has nothing of another client's", "[promise]") {
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 10);
    const std::vector<pid_t> children = proc::children(server.pid());
    REQUIRE(children.size() == 10);
    for (const pid_t child : children) {
        REQUIRE(proc::descriptors(child).size() == 3);
    }
}

TEST_CASE("the command is split as a shell does, without a shell", "[promise]") {
    const auto [command, answer] = GENERATE(table<std::string, std::string>({
        {"printf '%s|' one two", "one|two|"},
        {"printf '%s|' 'one two'", "one two|"},
        {"printf '%s|' \"one two\" three", "one two|three|"},
        {"printf '%s|' one\\ two", "one two|"},
        {"printf '%s|' ''", "|"},
        {"  printf   '%s|'   one  ", "one|"},
    }));
    CAPTURE(command);
    REQUIRE(answer_of(command, "") == answer);
}

TEST_CASE("a command that is no command is refused, and the exit code is 2", "[promise]") {
    const std::string command =
        GENERATE("", "   ", "cat 'unclosed", "cat | tr a b", "cat; cat", "cat $(cat)", "cat &");
    CAPTURE(command);
    const Run run = run_to_end(with_command(command));
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, StartsWith("error: --exec wants a program and its arguments, not '" +
                                     command + "'\n"));
}

TEST_CASE("a program that does not exist costs its client the connection, and the server lives",
          "[promise]") {
    const Server server(with_command("/no/such/program"));
    std::string complaints;
    for (int i = 0; i < 3; ++i) {
        Client client(server);
        REQUIRE(client.receive_to_end().empty());
        complaints +=
            "client 127\\.0\\.0\\.1:[0-9]+: exec /no/such/program: No such file or directory\n";
        wait_until("the failure is reported", [&] {
            return count_lines(server.diagnostics()) == static_cast<std::size_t>(i) + 1;
        });
    }
    REQUIRE_THAT(server.diagnostics(), Matches(complaints));
    wait_until("the children have been reaped",
               [&] { return proc::children(server.pid()).empty(); });
}

TEST_CASE("a child that cannot become the program reports its client and ends", "[promise]") {
    require_strace();
    const Server server;
    const FaultInjection no_room(server, "?dup2,?dup3:error=EBUSY");
    Client client(server);
    REQUIRE(client.receive_to_end().empty());
    wait_until("the child has been reaped", [&] { return proc::children(server.pid()).empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: dup2: Device or resource busy\n"));
    REQUIRE(server.is_running());
}

TEST_CASE("a signal that the server handles has its default action in the program", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::uint64_t server_handles = proc::handled_signals(server.pid());
    REQUIRE((server_handles & 1ULL << (SIGCHLD - 1)) != 0);  // a sanitizer handles others, too
    const pid_t child = child_of(server);
    REQUIRE(proc::handled_signals(child) == 0);
    REQUIRE(proc::ignored_signals(child) == 0);
}

TEST_CASE("no child stays a zombie, even when a hundred end at once", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 100);
    server.signal(SIGSTOP);
    wait_until("the parent has stopped", [&] { return proc::state(server.pid()) == 'T'; });
    clients.clear();
    wait_until("every child has ended", [&] { return proc::count_zombies(server.pid()) == 100; });
    server.signal(SIGCONT);
    wait_until("every child has been reaped", [&] { return proc::children(server.pid()).empty(); });
}

TEST_CASE("a hundred connections cost a hundred processes", "[limit]") {
    REQUIRE(processes_for_100_connections(chapter_under_test()) ==
            "a process for every connection");
}
