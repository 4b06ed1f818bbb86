// Chapter 53: a ring, a listener and clients of its own for each core; one number is shared.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/client_limit.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

StartSettings with_workers(int count, const std::vector<std::string>& more = {}) {
    StartSettings settings{.arguments = {"--port", "0", "--workers", std::to_string(count)}};
    settings.arguments.insert(settings.arguments.end(), more.begin(), more.end());
    return settings;
}

/// The threads of the server but the first, which waits for signals.
std::vector<pid_t> workers_of(const Server& server) {
    std::vector<pid_t> workers;
    const std::filesystem::path tasks = "/proc/" + std::to_string(server.pid()) + "/task";
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
        const pid_t thread = std::stoi(entry.path().filename());
        std::ifstream name_file(entry.path() / "comm");
        std::string name;
        std::getline(name_file, name);
        // The kernel lends threads to a ring; and a thread that has ended may still be listed.
        if (thread != server.pid() && !name.empty() && !name.starts_with("iou-")) {
            workers.push_back(thread);
        }
    }
    std::sort(workers.begin(), workers.end());
#if defined(__SANITIZE_THREAD__)
    workers.erase(workers.begin());  // The sanitizer's own, which is there before all of them.
#endif
    return workers;
}

/// Which of the threads has been awake for this client's echoes.
pid_t worker_that_serves(Client& client, const std::vector<pid_t>& workers) {
    std::vector<long long> before;
    for (const pid_t worker : workers) {
        before.push_back(proc::switches(worker));
    }
    for (int i = 0; i < 100; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        if (proc::switches(workers[i]) - before[i] >= 10) {
            return workers[i];
        }
    }
    throw std::runtime_error("none of the threads has been awake");
}

/// While it lives, the next wait of this thread for its ring fails, once. A thread that sleeps in
/// such a wait is woken by strace, and begins it again: so it fails as soon as strace is there.
Program failing_ring(pid_t thread) {
    return Program("strace", {.arguments = {"-qq", "-o", "/dev/null", "-e", "trace=io_uring_enter",
                                            "-e", "inject=io_uring_enter:error=EINVAL:when=1", "-p",
                                            std::to_string(thread)}});
}

}  // namespace

TEST_CASE("clients are served by several threads at once", "[why]") {
    require_io_uring();
    REQUIRE(threads_that_serve(chapter_before(), {}) == "one thread serves everybody");
    REQUIRE(threads_that_serve(chapter_under_test(), {"--workers", "4"}) ==
            "several threads serve");
}

TEST_CASE("every worker has a listener of its own, and every one of them gets clients",
          "[promise]") {
    require_io_uring();
    const Server server(with_workers(3));
    REQUIRE(proc::count_sockets(server.pid()) == 3);
    std::vector<Client> clients = connect_clients(server, 100);
    wait_until_at_rest(server);
    const std::vector<pid_t> workers = workers_of(server);
    REQUIRE(workers.size() == 3);
    std::vector<long long> before;
    for (const pid_t worker : workers) {
        before.push_back(proc::switches(worker));
    }
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        CAPTURE(i);
        REQUIRE(proc::switches(workers[i]) > before[i]);
    }
    // Nobody waits for a thread that is not there.
    REQUIRE(proc::accept_queue_length(server.endpoint()) == 0);
}

TEST_CASE("there are never more clients than --max-clients, over all workers, and the others wait",
          "[promise]") {
    require_io_uring();
    const Server server(with_workers(4, {"--max-clients", "10"}));
    std::vector<Client> clients = connect_clients(server, 10);
    std::vector<Client> waiting;
    for (int i = 0; i < 20; ++i) {
        waiting.emplace_back(server);
        waiting.back().send("hello");
    }
    for (int round = 0; round < 3; ++round) {
        for (Client& client : clients) {
            REQUIRE(client.exchange("still there?") == "still there?");
        }
    }
    // Those who have a client in hand have looked for a place again and again.
    const auto count_wakes = [&] {
        long long count = 0;
        for (const auto& [thread, switches] : proc::voluntary_switches_of_threads(server.pid())) {
            count += switches;
        }
        return count;
    };
    const long long before = count_wakes();
    wait_until("the workers have looked for a place", [&] { return count_wakes() >= before + 8; });
    for (const Client& client : waiting) {
        REQUIRE_FALSE(client.has_input());
    }
    // A place that comes free is given to the next one, whichever worker that is with.
    for (int served = 0; served < 20; ++served) {
        clients.pop_back();
        auto next = waiting.end();
        wait_until("one of those who wait is served", [&] {
            next = std::find_if(waiting.begin(), waiting.end(),
                                [](const Client& client) { return client.has_input(); });
            return next != waiting.end();
        });
        REQUIRE(next->receive(5) == "hello");
        REQUIRE(std::count_if(waiting.begin(), waiting.end(),
                              [](const Client& client) { return client.has_input(); }) == 0);
        clients.push_back(std::move(*next));
        waiting.erase(next);
    }
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a place is free again, however its client has left", "[promise]") {
    require_io_uring();
    const Server server(with_workers(2, {"--max-clients", "3"}));
    for (int i = 0; i < 10; ++i) {
        std::vector<Client> clients = connect_clients(server, 3);
        clients[0].reset();
        clients[1].half_close();
    }
}

TEST_CASE("those who wait for a place do not keep the server awake, nor from its end",
          "[promise]") {
    require_io_uring();
    Server server(with_workers(2, {"--max-clients", "1", "--drain-timeout", "86400000"}));
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    std::vector<Client> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back(server);
        waiting.back().send("hello");
    }
    wait_until_it_does_not_spin(server);
    server.signal(SIGTERM);
    first.close();
    for (Client& client : waiting) {
        REQUIRE(client.receive_to_end() == "hello");
        client.close();
    }
    REQUIRE(server.wait_for_exit() == "exit 0");
}

TEST_CASE("limit: threads that take places at once never take more than there are", "[promise]") {
    ClientLimit limit(1);
    std::atomic<int> taken = 0;
    std::atomic<int> most = 0;
    std::latch all_are_there(4);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                all_are_there.arrive_and_wait();
                for (int round = 0; round < 200'000; ++round) {
                    if (limit.take()) {
                        const Permit permit(limit);
                        const int now = ++taken;
                        for (int seen = most;
                             seen < now && !most.compare_exchange_weak(seen, now);) {
                        }
                        --taken;
                    }
                }
            });
        }
    }
    REQUIRE(most <= 1);
    int left = 0;
    while (limit.take()) {
        ++left;
    }
    REQUIRE(left == 1);
}

TEST_CASE("limit: a permit that is moved gives its place back once", "[promise]") {
    ClientLimit limit(1);
    REQUIRE(limit.take());
    {
        Permit permit(limit);
        const Permit moved(std::move(permit));
        REQUIRE_FALSE(limit.take());
    }
    REQUIRE(limit.take());
    REQUIRE_FALSE(limit.take());
}

TEST_CASE("what sits in any listener's queue is served before the end", "[promise]") {
    require_io_uring();
    Server server(with_workers(4));
    wait_until_at_rest(server);
    server.stop_all();
    std::vector<Client> clients;
    for (unsigned i = 0; i < 200; ++i) {
        clients.emplace_back(server);
        clients.back().send(random_bytes(1000, i));
    }
    server.signal(SIGTERM);
    server.continue_all();
    for (unsigned i = 0; i < 200; ++i) {
        CAPTURE(i);
        REQUIRE(clients[i].receive_to_end() == random_bytes(1000, i));
    }
    clients.clear();
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics().empty());
}

TEST_CASE("a worker that has no ring ends the server before it is ready", "[promise]") {
    require_io_uring();
    require_strace();
    const std::string server = chapter_under_test().server;
    Program strace(
        "strace", {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e",
                                 "inject=io_uring_setup:error=ENOMEM", server, "--port", "0",
                                 "--workers", "3"}});
    REQUIRE(strace.read_to_end().empty());
    REQUIRE(strace.wait_for_exit() == "exit 1");
    REQUIRE_THAT(strace.diagnostics(),
                 StartsWith("error: io_uring_setup: Cannot allocate memory: the limit"));
}

TEST_CASE("where a worker cannot be given its work, those that have begun are ended, too",
          "[promise]") {
    require_io_uring();
    require_failing_allocations();
    const auto start = [] {
        return std::make_unique<Program>(
            chapter_under_test().server,
            StartSettings{.arguments = {"--port", "0", "--workers", "3"},
                          .allocations_can_fail = true});
    };
    constexpr int many = 1'000'000;
    const auto counts = start();
    counts->fail_allocation(many);
    REQUIRE(counts->try_read_line());
    wait_until("the workers serve", [&] { return proc::is_asleep(counts->pid()); });
    const int all = many - counts->allocations_left();
    // Whichever of the last ones fails, the server ends: by itself, or as it is told.
    for (int which = all - 40; which <= all; ++which) {
        CAPTURE(which, all);
        const auto server = start();
        server->fail_allocation(which);
        if (server->try_read_line()) {
            server->signal(SIGTERM);
        }
        // Where it ends by itself already, the signal finds it as a second one would.
        const std::string exit = server->wait_for_exit();
        REQUIRE((exit == "exit 0" || exit == "exit 1" || exit == "killed by SIGTERM"));
    }
}

TEST_CASE("a worker that fails ends the server, which says why, and the others drain",
          "[promise]") {
    require_io_uring();
    require_strace();
    Server server(with_workers(2, {"--drain-timeout", "86400000"}));
    Client greedy(server, {.receive_buffer = 16 * 1024});
    std::vector<pid_t> others = workers_of(server);
    const pid_t serves = worker_that_serves(greedy, others);
    std::erase(others, serves);
    REQUIRE(others.size() == 1);
    const std::string sent = send_until_server_is_held_back(greedy);
    const std::size_t unacknowledged = greedy.unacknowledged();
    const Program fails = failing_ring(others.front());
    wait_until("the worker has ended", [&] { return workers_of(server).size() == 1; });
    const std::string received = greedy.receive_to_end();
    REQUIRE(received.size() >= sent.size() - unacknowledged);
    const bool same = received == sent.substr(0, received.size());
    REQUIRE(same);
    greedy.close();
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE(server.diagnostics() == "error: io_uring_enter: Invalid argument\n");
}

TEST_CASE("a worker that fails while the server ends already ends it at once, and it says why",
          "[promise]") {
    require_io_uring();
    require_strace();
    Server server(with_workers(1, {"--drain-timeout", "86400000"}));
    Client greedy(server);
    send_until_server_is_held_back(greedy);
    server.signal(SIGTERM);
    wait_until_taken_and_released(server, SIGTERM);
    const Program fails = failing_ring(workers_of(server).front());
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(),
                 ContainsSubstring("error: io_uring_enter: Invalid argument\n"));
}

TEST_CASE("a port on which another server listens is refused, however many workers", "[promise]") {
    require_io_uring();
    const Server first(with_workers(2));
    const std::string port = std::to_string(first.endpoint().port);
    const Run run = run_to_end({.arguments = {"--port", port, "--workers", "2"}});
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE_THAT(run.err, ContainsSubstring("Address already in use"));
}

TEST_CASE("numbers that cannot be are refused, and the exit code is 2", "[promise]") {
    require_io_uring();
    const std::string option = GENERATE("--workers=0", "--workers=1025", "--workers=all");
    CAPTURE(option);
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("wants a whole number from "));
}

TEST_CASE("a worker to which no client is given sleeps, however busy the others are", "[limit]") {
    require_io_uring();
    const Server server(with_workers(4));
    wait_until_at_rest(server);
    Client busy(server);
    const std::vector<pid_t> workers = workers_of(server);
    REQUIRE(workers.size() == 4);
    const pid_t serves = worker_that_serves(busy, workers);
    std::vector<long long> before;
    for (const pid_t worker : workers) {
        before.push_back(proc::switches(worker));
    }
    for (int i = 0; i < 200; ++i) {
        REQUIRE(busy.exchange("hello") == "hello");
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        CAPTURE(i);
        REQUIRE((proc::switches(workers[i]) - before[i] >= 10) == (workers[i] == serves));
    }
}
