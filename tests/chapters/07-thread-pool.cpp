// `thread-pool`: a fixed pool of threads and a bounded queue.

#include <sys/syscall.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

StartSettings with_pool(int workers, int queue) {
    return {.arguments = {"--port", "0", "--workers", std::to_string(workers), "--queue",
                          std::to_string(queue)}};
}

}  // namespace

TEST_CASE("the number of threads does not depend on the number of clients", "[why]") {
    REQUIRE(threads_for_200_idle_clients(chapter_before()) == "a thread for every client");
    REQUIRE(threads_for_200_idle_clients(chapter_under_test()) == "no thread for any client");
}

TEST_CASE("there are as many threads as were asked for, and one that accepts", "[promise]") {
    const auto count_threads = [](int workers) {
        const Server server(with_pool(workers, 10));
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        REQUIRE(proc::children(server.pid()).empty());
        wait_until_at_rest(server);
        REQUIRE(proc::count_blocked_in(server.pid(), {SYS_accept4}) == 1);
        return proc::count_threads(server.pid());
    };
    // A sanitizer may have a thread of its own, so the difference is what counts.
    REQUIRE(count_threads(5) - count_threads(1) == 4);
}

TEST_CASE("without a number there are as many threads as processors that may be used",
          "[promise]") {
    const auto count_threads = [](StartSettings settings) {
        settings.one_processor = true;
        const Server server(settings);
        return proc::count_threads(server.pid());
    };
    REQUIRE(count_threads({}) == count_threads(with_pool(1, 64)));
}

TEST_CASE("as many clients are served at once as there are threads", "[promise]") {
    const Server server(with_pool(4, 1));
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
        wait_until_at_rest(server);  // All that do not serve wait for this client.
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
    }
}

TEST_CASE("a full queue holds the acceptor back, and the accept queue keeps the rest",
          "[promise]") {
    const Server server(with_pool(1, 2));
    std::vector<Client> clients;
    clients.emplace_back(server);
    REQUIRE(clients.back().exchange("hello") == "hello");
    for (int i = 0; i < 6; ++i) {
        clients.emplace_back(server);
        clients.back().send("hello");
    }
    // One is served, two are in the queue, one is in the acceptor's hands.
    wait_until("three clients are left in the accept queue",
               [&] { return proc::accept_queue_length(server.endpoint()) == 3; });
    REQUIRE(proc::count_sockets(server.pid()) == 1 + 4);
    wait_until_it_does_not_spin(server);
    REQUIRE(proc::accept_queue_length(server.endpoint()) == 3);

    for (Client& client : clients) {
        client.half_close();
    }
    for (std::size_t i = 1; i < clients.size(); ++i) {
        REQUIRE(clients[i].receive_to_end() == "hello");
    }
}

TEST_CASE("clients in the queue are served in the order in which they came", "[promise]") {
    const Server server(with_pool(1, 10));
    Client first(server);
    REQUIRE(first.exchange("hello") == "hello");
    Client second(server);
    Client third(server);
    third.send("third");
    second.send("second");
    first.half_close();
    REQUIRE(second.receive(6) == "second");
    REQUIRE_FALSE(third.has_input());
    second.half_close();
    REQUIRE(third.receive(5) == "third");
}

TEST_CASE("a client that leaves while it waits in the queue harms nobody", "[promise]") {
    const Server server(with_pool(1, 10));
    Client busy(server);
    REQUIRE(busy.exchange("hello") == "hello");
    Client resets(server);
    resets.send("hello");
    Client waits(server);
    waits.send("hello");
    wait_until("the server has accepted all three",
               [&] { return proc::count_sockets(server.pid()) == 1 + 3; });
    resets.reset();
    busy.half_close();
    REQUIRE(waits.receive(5) == "hello");
}

TEST_CASE("threads that cannot be made are an error at the start, and the exit code is 1",
          "[promise]") {
    const Run run = run_to_end(
        {.arguments = {"--port", "0", "--workers", "5"}, .max_processes = 1, .unprivileged = true});
    REQUIRE_THAT(run.err, StartsWith("error: start 5 threads: Resource temporarily unavailable\n"));
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("a server that cannot print its ready line ends, although its threads wait",
          "[promise]") {
    const Run run =
        run_to_end({.arguments = {"--port", "0", "--workers", "50"}, .stdout_path = "/dev/full"});
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("many clients through a queue of one are all served", "[promise]") {
    const Server server(with_pool(4, 1));
    for (int round = 0; round < 20; ++round) {
        std::vector<Client> clients;
        for (int i = 0; i < 8; ++i) {
            clients.emplace_back(server);
            clients.back().send("hello");
            clients.back().half_close();
        }
        for (Client& client : clients) {
            REQUIRE(client.receive_to_end() == "hello");
        }
    }
}

TEST_CASE("a pool or a queue that cannot be is refused, and the exit code is 2", "[promise]") {
    const std::string option = GENERATE("--workers=0", "--workers=many", "--queue=0", "--queue=-1");
    CAPTURE(option);
    const Run run = run_to_end({.arguments = {"--port", "0", option}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("wants a whole number from 1 to "));
}

TEST_CASE("with N threads busy, client N+1 waits", "[limit]") {
    REQUIRE(third_client_beside_two_silent_ones(chapter_under_test(), {"--workers", "2"}) ==
            "the third client waits for a thread");
}
