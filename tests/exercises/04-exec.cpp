// The exercises of chapter 04: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE("the program gets no descriptor that the server was started with, beside 0, 1 and 2",
          "[.exercise]") {
    const Server server({.first_free_descriptor = 10});
    const std::vector<Client> clients = connect_clients(server, 1);
    const std::vector<pid_t> programs = proc::children(server.pid());
    REQUIRE(programs.size() == 1);
    std::vector<int> numbers;
    for (const proc::Descriptor& descriptor : proc::descriptors(programs.front())) {
        numbers.push_back(descriptor.number);
    }
    REQUIRE(numbers == std::vector<int>{0, 1, 2});
}
