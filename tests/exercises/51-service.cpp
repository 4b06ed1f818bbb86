// The exercises of chapter 51: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"

namespace {

/// What the server says that has served two clients, with 5 and 6 bytes.
std::string said_at_the_end(const std::string& say) {
    Server server({.arguments = {"--port", "0", "--say-totals", say}});
    for (const char* const word : {"hello", "world!"}) {
        Client client(server);
        REQUIRE(client.exchange(word) == word);
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    server.signal(SIGTERM);
    REQUIRE(server.wait_for_exit() == "exit 0");
    return server.diagnostics();
}

}  // namespace

TEST_CASE("with --say-totals the server says how many clients and bytes it has served",
          "[.exercise]") {
    require_io_uring();
    REQUIRE(said_at_the_end("1") == "served: 2 clients, 11 bytes\n");
    REQUIRE(said_at_the_end("0").empty());
}
