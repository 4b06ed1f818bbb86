// The exercises of chapter 40: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <system_error>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --closing-time all who are here are sent home each time, and newcomers are served",
          "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--closing-time", "300"}});
    for (int day = 0; day < 3; ++day) {
        Client guest(server);
        Client greedy(server);
        try {
            for (int i = 0; i < 200; ++i) {  // It never takes its echo, so the server is held back.
                greedy.send_some(std::string(64 * 1024, '.'));
            }
        } catch (const std::system_error&) {
            // It has been sent home already.
        }
        REQUIRE(guest.receive_to_end().empty());
        wait_until("everybody has been sent home", [&] { return server.count_clients() == 0; });
    }
    // Who is sent home has done nothing wrong.
    REQUIRE(server.diagnostics().empty());

    // Without the option, or with 0, nobody is.
    const Server always_open({.arguments = {"--port", "0", "--closing-time", "0"}});
    Client client(always_open);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(always_open);
    REQUIRE(client.exchange("still here") == "still here");
}
