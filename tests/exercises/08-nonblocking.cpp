// The exercises of chapter 08: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE(
    "with --patience a client that does not read is ended and reported, and the others are "
    "served",
    "[.exercise]") {
    {
        const Server server({.arguments = {"--port", "0", "--patience", "300"}});
        Client other(server);
        REQUIRE(other.exchange("hello") == "hello");
        Client greedy(server);
        const std::string part(64 * 1024, 'x');
        wait_until("the server has reported the client that does not read", [&] {
            try {
                greedy.send_some(part);
            } catch (const std::system_error&) {
                // Ended.
            }
            return count_lines(server.diagnostics()) == 1;
        });
        REQUIRE(other.exchange("served?") == "served?");
        REQUIRE_THAT(server.diagnostics(), Matches("client 127\\.0\\.0\\.1:[0-9]+: send: .*\n"));
    }
    // Who reads in time has everything back.
    const Server server({.arguments = {"--port", "0", "--patience", "3600000"}});
    Client slow(server);
    const std::string sent = send_until_server_is_held_back(slow);
    slow.half_close();
    const bool same = slow.receive_to_end() == sent;
    REQUIRE(same);
    REQUIRE(server.diagnostics().empty());
}
