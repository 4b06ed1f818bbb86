// The exercises of chapter 05: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --clients-per-worker 3 a worker that has served three clients is replaced, and nothing "
    "is reported",
    "[.exercise]") {
    const Server server(
        {.arguments = {"--port", "0", "--workers", "1", "--clients-per-worker", "3"}});
    for (int generation = 0; generation < 3; ++generation) {
        std::vector<pid_t> workers;
        for (int i = 0; i < 3; ++i) {
            Client client(server);
            REQUIRE(client.exchange("hello") == "hello");
            // Whoever answers is there, and alone: the one before has been waited for.
            const std::vector<pid_t> now = proc::children(server.pid());
            REQUIRE(now.size() == 1);
            workers.push_back(now.front());
            client.half_close();
            REQUIRE(client.receive_to_end().empty());
        }
        REQUIRE(workers == std::vector<pid_t>(3, workers.front()));
        wait_until("the worker has been replaced", [&] {
            const std::vector<pid_t> now = proc::children(server.pid());
            return now.size() == 1 && now.front() != workers.front();
        });
    }
    REQUIRE(server.diagnostics().empty());
}
