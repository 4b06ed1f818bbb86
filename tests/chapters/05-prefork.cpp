// `prefork`: a fixed family of processes.

#include <signal.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;

namespace {

StartSettings with_workers(int count) {
    return {.arguments = {"--port", "0", "--workers", std::to_string(count)}};
}

/// The workers, once there are as many as there should be.
std::vector<pid_t> wait_for_workers(const Server& server, std::size_t count) {
    std::vector<pid_t> workers;
    wait_until("there are " + std::to_string(count) + " workers", [&] {
        workers = proc::children(server.pid());
        return workers.size() == count && proc::count_zombies(server.pid()) == 0;
    });
    std::sort(workers.begin(), workers.end());
    return workers;
}

}  // namespace

TEST_CASE("connections cost no processes", "[why]") {
    REQUIRE(processes_for_100_connections(chapter_before_side_road()) ==
            "a process for every connection");
    REQUIRE(processes_for_100_connections(chapter_before()) == "a process for every connection");
    REQUIRE(processes_for_100_connections(chapter_under_test()) == "no process for any connection");
}

TEST_CASE("as many workers as were asked for, and no more, whatever the clients do", "[promise]") {
    const Server server(with_workers(3));
    const std::vector<pid_t> workers = wait_for_workers(server, 3);
    for (int i = 0; i < 20; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        if (i % 2 == 0) {
            client.reset();
        }
    }
    REQUIRE(wait_for_workers(server, 3) == workers);
    wait_until_it_does_not_spin(server);
}

TEST_CASE("as many clients are served at once as there are workers", "[promise]") {
    const Server server(with_workers(4));
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
    }
}

TEST_CASE("a worker that dies, by whatever signal, is replaced", "[promise]") {
    const int signal = GENERATE(SIGTERM, SIGKILL, SIGABRT, SIGINT);
    CAPTURE(signal);
    const Server server(with_workers(2));
    const std::vector<pid_t> before = wait_for_workers(server, 2);
    REQUIRE(::kill(before.front(), signal) == 0);
    wait_until("another worker has taken its place", [&] {
        const std::vector<pid_t> now = proc::children(server.pid());
        return now.size() == 2 && std::find(now.begin(), now.end(), before.front()) == now.end();
    });
    REQUIRE_THAT(server.diagnostics(),
                 ContainsSubstring("worker " + std::to_string(before.front()) + " has ended: "));
    Client first(server);
    Client second(server);
    REQUIRE(first.exchange("hello") == "hello");
    REQUIRE(second.exchange("hello") == "hello");
}

TEST_CASE("a worker that is killed takes only its own client with it", "[promise]") {
    const Server server(with_workers(2));
    wait_for_workers(server, 2);
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    Client second(server);
    REQUIRE(second.exchange("hello") == "hello");
    for (const pid_t worker : proc::children(server.pid())) {
        if (proc::count_sockets(worker) == 2) {
            REQUIRE(::kill(worker, SIGKILL) == 0);
            break;
        }
    }
    wait_until("one client has lost its connection",
               [&] { return first.has_input() || second.has_input(); });
    Client& other = first.has_input() ? second : first;
    REQUIRE(other.exchange("still there?") == "still there?");
}

TEST_CASE("when every worker dies again and again, the parent neither spins nor ends",
          "[promise]") {
    const Server server(with_workers(4));
    using namespace std::chrono_literals;
    const std::chrono::milliseconds before = proc::cpu_time(server.pid());
    std::set<pid_t> seen;
    for (int generation = 1; generation <= 4; ++generation) {
        for (const pid_t worker : wait_for_workers(server, 4)) {
            REQUIRE(seen.insert(worker).second);
            REQUIRE(::kill(worker, SIGKILL) == 0);
        }
        wait_until("none of them is left", [&] {
            const std::vector<pid_t> now = proc::children(server.pid());
            return std::none_of(now.begin(), now.end(),
                                [&](pid_t worker) { return seen.contains(worker); });
        });
    }
    wait_for_workers(server, 4);
    // It slept while it waited for their ends, and in the pauses: sixteen of a tenth of a second.
    REQUIRE(proc::cpu_time(server.pid()) - before <= 500ms);
    wait_until_it_does_not_spin(server);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("a worker is replaced after a pause, not at once", "[promise]") {
    const Server server(with_workers(1));
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        const pid_t worker = wait_for_workers(server, 1).front();
        REQUIRE(::kill(worker, SIGKILL) == 0);
        wait_until("another worker has taken its place", [&] {
            const std::vector<pid_t> now = proc::children(server.pid());
            return now.size() == 1 && now.front() != worker;
        });
    }
    using namespace std::chrono_literals;
    // At least: a loaded machine takes longer and is right, too.
    REQUIRE(std::chrono::steady_clock::now() - start >= 5 * 100ms);
}

TEST_CASE("a worker that dies is replaced, also without memory for the words about it",
          "[promise]") {
    require_failing_allocations();
    StartSettings settings = with_workers(2);
    settings.allocations_can_fail = true;
    const Server server(settings);
    const std::vector<pid_t> before = wait_for_workers(server, 2);
    server.fail_allocation(1);
    REQUIRE(::kill(before.front(), SIGSEGV) == 0);  // "Segmentation fault" is longer than most.
    wait_until("another worker has taken its place", [&] {
        const std::vector<pid_t> now = proc::children(server.pid());
        return now.size() == 2 && std::find(now.begin(), now.end(), before.front()) == now.end();
    });
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring(" has ended: Segmentation fault"));
}

TEST_CASE("a child that the server has inherited is none of its workers", "[promise]") {
    // A shell starts a child and becomes the server: exec keeps the children.
    Chapter shell = chapter_under_test();
    const std::string command =
        "sleep 1000 & exec '" + shell.server.string() + "' --port 0 --workers 1";
    shell.server = "/bin/sh";
    const Server server(shell, {.arguments = {"-c", command}});
    const std::vector<pid_t> children = wait_for_workers(server, 2);  // The inherited one, too.
    const auto inherited = std::find_if(children.begin(), children.end(), [](pid_t child) {
        std::string name;
        std::ifstream("/proc/" + std::to_string(child) + "/comm") >> name;
        return name == "sleep";
    });
    REQUIRE(inherited != children.end());
    REQUIRE(::kill(*inherited, SIGKILL) == 0);
    wait_for_workers(server, 1);
    wait_until_at_rest(server);
    REQUIRE(server.diagnostics().empty());
    REQUIRE(proc::children(server.pid()).size() == 1);
}

TEST_CASE("a worker that cannot be started is started later", "[promise]") {
    require_strace();
    const Server server(with_workers(1));
    const pid_t worker = wait_for_workers(server, 1).front();
    const FaultInjection no_process(server, "clone,clone3:error=EAGAIN:when=1..3");
    REQUIRE(::kill(worker, SIGKILL) == 0);
    wait_until("another worker has taken its place", [&] {
        const std::vector<pid_t> now = proc::children(server.pid());
        return now.size() == 1 && now.front() != worker && proc::count_zombies(server.pid()) == 0;
    });
    const std::string said = "fork, trying again: Resource temporarily unavailable\n";
    const std::string words = server.diagnostics();
    REQUIRE_THAT(words, ContainsSubstring(said));
    REQUIRE(words.find(said) == words.rfind(said));  // Once for each shortage.
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
}

TEST_CASE("without a number there are as many workers as processors that may be used",
          "[promise]") {
    const Server server({.one_processor = true});
    wait_for_workers(server, 1);
    wait_until_at_rest(server);
    REQUIRE(proc::children(server.pid()).size() == 1);
}

TEST_CASE("a worker that dies is replaced, whatever was ignored or blocked before the start",
          "[promise]") {
    const std::string way = GENERATE("ignored", "blocked");
    CAPTURE(way);
    StartSettings settings = with_workers(2);
    (way == "ignored" ? settings.ignored_signals : settings.blocked_signals) = {SIGCHLD, SIGTERM};
    Server server(settings);
    const std::vector<pid_t> before = wait_for_workers(server, 2);
    REQUIRE(::kill(before.front(), SIGTERM) == 0);
    wait_until("another worker has taken its place", [&] {
        const std::vector<pid_t> now = proc::children(server.pid());
        return now.size() == 2 && std::find(now.begin(), now.end(), before.front()) == now.end();
    });
    const std::vector<pid_t> workers = wait_for_workers(server, 2);
    server.signal(SIGKILL);
    server.wait_for_exit();
    for (const pid_t worker : workers) {
        wait_until("every worker ends with its parent", [&] {
            const char state = proc::state(worker);
            return state == '-' || state == 'Z';
        });
    }
}

TEST_CASE("every worker ends with the parent, however the parent ends", "[promise]") {
    const int signal = GENERATE(SIGTERM, SIGINT, SIGKILL);
    CAPTURE(signal);
    Server server(with_workers(4));
    const std::vector<pid_t> workers = wait_for_workers(server, 4);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");  // A worker that is busy ends, too.
    server.signal(signal);
    server.wait_for_exit();
    for (const pid_t worker : workers) {
        wait_until("the worker has ended", [&] {
            const char state = proc::state(worker);
            return state == '-' || state == 'Z';
        });
    }
}

TEST_CASE("a number of workers that cannot be is refused, and the exit code is 2", "[promise]") {
    const std::string count = GENERATE("0", "-1", "1001", "many");
    CAPTURE(count);
    const Run run = run_to_end({.arguments = {"--port", "0", "--workers=" + count}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("--workers wants a whole number from 1 to 1000, not '" +
                                            count + "'"));
}

TEST_CASE("with N workers busy, client N+1 waits", "[limit]") {
    REQUIRE(third_client_beside_two_silent_ones(chapter_under_test(), {"--workers", "2"}) ==
            "the third client waits in the accept queue");
}
