// The exercises of chapter 10: what must hold when they are done.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string_view>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE(
    "for each line on stdin the server says how many clients it has, and the end of stdin harms "
    "nobody",
    "[.exercise]") {
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
    const Fd reading_end{ends[0]};
    Fd terminal{ends[1]};
    const auto type = [&terminal](std::string_view words) {
        check(::write(terminal.get(), words.data(), words.size()), "write");
    };
    const Server server({.stdin_descriptor = reading_end.get()});
    const auto wait_for_answers = [&server](std::size_t count) {
        wait_until("the server has answered " + std::to_string(count) + " lines",
                   [&] { return count_lines(server.diagnostics()) == count; });
    };
    std::vector<Client> clients = connect_clients(server, 3);
    type("how many?\n");
    wait_for_answers(1);
    REQUIRE(server.diagnostics() == "clients: 3\n");

    clients.pop_back();
    wait_until("the client has left", [&] { return server.count_clients() == 2; });
    type("and now?\nand now?\n");
    wait_for_answers(3);
    REQUIRE(server.diagnostics() == "clients: 3\nclients: 2\nclients: 2\n");

    type("half a li");
    wait_until_at_rest(server);
    REQUIRE(count_lines(server.diagnostics()) == 3);
    type("ne\n");
    wait_for_answers(4);

    terminal.close();
    wait_until_at_rest(server);
    REQUIRE(proc::is_asleep(server.pid()));
    REQUIRE(clients.front().exchange("still there?") == "still there?");
    REQUIRE(count_lines(server.diagnostics()) == 4);
}
