// The exercises of chapter 47: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("with --report-copies a server says at its end how many bytes it had to copy",
          "[.exercise]") {
    require_io_uring();
    const StartSettings settings{.arguments = {"--port", "0", "--report-copies", "1"}};
    Server server(settings);
    {
        Client slow(server, {.receive_buffer = 16 * 1024});
        const std::string sent = send_until_server_is_held_back(slow);
        slow.half_close();
        const bool same = slow.receive_to_end() == sent;
        REQUIRE(same);
    }
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE_THAT(server.diagnostics(), Matches("copied out: [1-9][0-9]* bytes\n"));

    Server calm(settings);
    {
        Client client(calm);
        REQUIRE(client.exchange("hello") == "hello");
    }
    calm.signal(SIGTERM);
    REQUIRE(calm.wait_for_exit() == "exit 0");
    REQUIRE(calm.diagnostics().empty());
}
