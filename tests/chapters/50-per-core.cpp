// `per-core`: a ring, a listener and clients of its own for each worker.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "chapters/scenarios.hpp"
#include "signals.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"
#include "task.hpp"
#include "worker.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using Catch::Matchers::StartsWith;

namespace {

StartSettings with_workers(int count, const std::vector<std::string>& more = {}) {
    StartSettings settings{.arguments = {"--port", "0", "--workers", std::to_string(count)}};
    settings.arguments.insert(settings.arguments.end(), more.begin(), more.end());
    return settings;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Connects, and says whether it was served or turned away.
std::string answer_to_a_client(const Server& server) {
    try {
        Client client(server);
        return client.exchange("hello") == "hello" ? "served" : "turned away";
    } catch (const std::system_error&) {
        return "turned away";  // With "hello" unread its connection ends with a reset.
    }
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

TEST_CASE("the engine and the task are the same to the byte as with one thread", "[promise]") {
    for (const std::string name : {"io.hpp", "ring.hpp", "buffers.hpp", "task.hpp"}) {
        CAPTURE(name);
        const bool same =
            read_source(chapter_under_test(), name) == read_source(chapter_before(), name);
        REQUIRE(same);
    }
}

TEST_CASE("every worker has a listener of its own, and every one of them gets clients",
          "[promise]") {
    const Server server(with_workers(3));
    REQUIRE(proc::count_sockets(server.pid()) == 3);
    const std::vector<Client> clients = connect_clients(server, 100);
    REQUIRE(server.count_clients() == 100);
    // Nobody waits for a thread that is not there.
    REQUIRE(proc::accept_queue_length(server.endpoint()) == 0);
}

TEST_CASE("what sits in any listener's queue is served before the end", "[promise]") {
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

TEST_CASE("there are never more clients than --max-clients, over all workers", "[promise]") {
    const Server server(with_workers(4, {"--max-clients", "10"}));
    std::vector<Client> clients = connect_clients(server, 10);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(answer_to_a_client(server) == "turned away");
    }
    REQUIRE(server.count_clients() == 10);
    wait_until("the server has named all of them",
               [&] { return count_lines(server.diagnostics()) == 20; });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("(client 127\\.0\\.0\\.1:[0-9]+ turned away: 10 clients are being "
                         "served\n){20}"));
    for (Client& client : clients) {
        REQUIRE(client.exchange("still there?") == "still there?");
    }
    // A place that comes free is given to the next one, whichever worker that is with.
    clients.pop_back();
    wait_until("the place is free", [&] { return answer_to_a_client(server) == "served"; });
}

TEST_CASE("a place is free again, however its client has left", "[promise]") {
    const Server server(with_workers(2, {"--max-clients", "3"}));
    for (int i = 0; i < 10; ++i) {
        std::vector<Client> clients;
        wait_until("there is room", [&] {
            try {
                clients.emplace_back(server);
                if (clients.back().exchange("hello") != "hello") {
                    clients.pop_back();
                }
            } catch (const std::system_error&) {
                clients.pop_back();
            }
            return clients.size() == 3;
        });
        clients[0].reset();
        clients[1].half_close();
    }
}

TEST_CASE("with --pin each worker stays on one core", "[promise]") {
    const Server server(with_workers(2, {"--pin", "1"}));
    wait_until_at_rest(server);
    const std::vector<int> cores = allowed_cores();
    std::set<std::string> allowed;
    int pinned = 0;
    for (const std::string& list : proc::allowed_cores_of_threads(server.pid())) {
        const bool is_one = list.find_first_not_of("0123456789") == std::string::npos;
        pinned += is_one ? 1 : 0;
        allowed.insert(list);
    }
    if (cores.size() < 2) {
        SKIP("there is one core here, and everybody is on it");
    }
    REQUIRE(pinned == 2);
    REQUIRE(allowed.size() == 3);  // Those of the two, and those of the main thread.
}

TEST_CASE("a worker that has no ring ends the server before it is ready", "[promise]") {
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

TEST_CASE("where the kernel does not tell its processors, only --pin is an error", "[promise]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer asks for the processors, too, and ends the program without an answer");
#endif
    require_io_uring();
    require_strace();
    const auto start = [](const std::vector<std::string>& more) {
        StartSettings settings{.arguments = {"-f", "-qq", "-o", "/dev/null", "-e",
                                             "trace=sched_getaffinity", "-e",
                                             "inject=sched_getaffinity:error=EPERM",
                                             chapter_under_test().server, "--port", "0"}};
        settings.arguments.insert(settings.arguments.end(), more.begin(), more.end());
        return Program("strace", settings);
    };
    Program serves = start({});
    REQUIRE(serves.try_read_line().has_value());
    Program refuses = start({"--pin", "1"});
    REQUIRE(refuses.wait_for_exit() == "exit 1");
    REQUIRE(refuses.diagnostics() == "error: sched_getaffinity: Operation not permitted\n");
}

TEST_CASE("a worker that fails ends the server, which says why, and the others drain",
          "[promise]") {
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

TEST_CASE("SIGUSR1 from outside is not taken for the failure of a worker", "[promise]") {
    Server server(with_workers(2, {"--drain-timeout", "86400000"}));
    wait_until_at_rest(server);
    server.signal(SIGUSR1);  // Nothing is done about it: it does what it does to every process.
    REQUIRE(server.wait_for_exit() == "killed by SIGUSR1");
}

TEST_CASE("a port on which another server listens is refused, however many workers", "[promise]") {
    const Server first(with_workers(2));
    const std::string port = std::to_string(first.endpoint().port);
    const Run run = run_to_end({.arguments = {"--port", port, "--workers", "2"}});
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE_THAT(run.err, ContainsSubstring("Address already in use"));
}

TEST_CASE("numbers that cannot be are refused, and the exit code is 2", "[promise]") {
    const std::string option = GENERATE("--workers=0", "--workers=1025", "--workers=all",
                                        "--max-clients=0", "--pin=2", "--pin=yes");
    CAPTURE(option);
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("wants a whole number from "));
}

TEST_CASE("worker: its task runs in a thread of its own, and what it throws leaves wait()",
          "[promise]") {
    require_io_uring();
    hold_signals({worker_has_failed});
    std::thread::id ran_in;
    Worker works(std::nullopt, 8, 4);
    works.start([&ran_in](IoContext& io) {
        return [](IoContext& context, std::thread::id& id) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            id = std::this_thread::get_id();
        }(io, ran_in);
    });
    works.wait();
    REQUIRE(ran_in != std::thread::id());
    REQUIRE(ran_in != std::this_thread::get_id());

    Worker fails(std::nullopt, 8, 4);
    fails.start([](IoContext& io) {
        return [](IoContext& context) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            throw std::runtime_error("enough");
        }(io);
    });
    REQUIRE(wait_for_signal({worker_has_failed}) == worker_has_failed);  // The process is told.
    REQUIRE_THROWS_AS(fails.wait(), std::runtime_error);
    release_signals({worker_has_failed});
}

TEST_CASE("worker: one that is never started ends with its owner", "[promise]") {
    require_io_uring();
    const Worker never(std::nullopt, 8, 4);
}

TEST_CASE("event: every thread learns of it, before and after", "[promise]") {
    require_io_uring();
    const Event event;
    std::vector<Worker> workers;
    std::atomic<int> learnt = 0;
    for (int i = 0; i < 3; ++i) {
        workers.emplace_back(std::nullopt, 8U, 4U);
    }
    const auto learn = [&](IoContext& io) {
        return [](IoContext& context, const Event& awaited, std::atomic<int>& count) -> Task<> {
            co_await HasHappened(context, awaited);
            ++count;
        }(io, event, learnt);
    };
    workers[0].start(learn);
    workers[1].start(learn);
    event.happen();
    workers[2].start(learn);
    for (Worker& worker : workers) {
        worker.wait();
    }
    REQUIRE(learnt == 3);
}
