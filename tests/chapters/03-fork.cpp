// `fork`: a process for every client.

#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("the second client is served beside a silent first one", "[why][wire]") {
    REQUIRE(second_client_beside_a_silent_one(chapter_before()) ==
            "the second client waits in the accept queue");
    REQUIRE(second_client_beside_a_silent_one(chapter_under_test()) ==
            "the second client is served");
}

TEST_CASE("the parent keeps the listener and none of its clients' sockets", "[promise]") {
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 10);
    // The last child may have answered before the parent has closed its copy.
    wait_until("the listener is the parent's only socket",
               [&] { return proc::count_sockets(server.pid()) == 1; });
}

TEST_CASE("a child keeps its client's socket and nothing else: no listener, no other client",
          "[promise]") {
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 10);
    const std::vector<pid_t> children = proc::children(server.pid());
    REQUIRE(children.size() == 10);
    for (const pid_t child : children) {
        REQUIRE(proc::count_sockets(child) == 1);
        REQUIRE(proc::descriptors(child).size() == 4);  // and stdin, stdout, stderr
    }
}

TEST_CASE("a client gets its end of file while others stay connected", "[promise][wire]") {
    const Server server;
    const std::vector<Client> others = connect_clients(server, 3);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    const std::vector<Client> later = connect_clients(server, 3);
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
}

TEST_CASE("no child stays a zombie, even when a hundred end at once", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 100);
    // While the parent is stopped its children all end, and all that it is told is one SIGCHLD.
    server.signal(SIGSTOP);
    wait_until("the parent has stopped", [&] { return proc::state(server.pid()) == 'T'; });
    clients.clear();
    wait_until("every child has ended", [&] { return proc::count_zombies(server.pid()) == 100; });
    server.signal(SIGCONT);
    wait_until("every child has been reaped", [&] { return proc::children(server.pid()).empty(); });
    connect_clients(server, 1);
}

TEST_CASE("a child that is killed takes only its own client with it", "[promise]") {
    const Server server;
    std::vector<Client> first = connect_clients(server, 1);
    const pid_t child = proc::children(server.pid()).front();
    std::vector<Client> others = connect_clients(server, 3);
    REQUIRE(::kill(child, SIGKILL) == 0);
    REQUIRE(first.front().receive_to_end().empty());
    for (Client& other : others) {
        REQUIRE(other.exchange("still there?") == "still there?");
    }
    wait_until("the killed child has been reaped",
               [&] { return proc::children(server.pid()).size() == 3; });
    connect_clients(server, 1);
}

TEST_CASE("a client for whom no process can be made is turned away, and the server lives",
          "[promise]") {
    const Server server({.max_processes = 1, .unprivileged = true});
    const std::string complaint =
        "client 127\\.0\\.0\\.1:[0-9]+ turned away: fork: "
        "Resource temporarily unavailable\n";
    std::string complaints;
    for (int i = 0; i < 3; ++i) {
        Client turned_away(server);
        REQUIRE(turned_away.receive_to_end().empty());
        complaints += complaint;
    }
    REQUIRE_THAT(server.diagnostics(), Matches(complaints));
    REQUIRE(proc::children(server.pid()).empty());
}

TEST_CASE("a hundred clients cost a hundred processes", "[limit]") {
    const Server server;
    const std::vector<Client> clients = connect_clients(server, 100);
    REQUIRE(proc::children(server.pid()).size() == 100);
}
