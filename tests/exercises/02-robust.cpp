// The exercises of chapter 02: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

TEST_CASE(
    "with --count 1 the server says how many bytes each client has sent, also of one that resets",
    "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--count", "1"}});
    const std::string client_sent = "client 127\\.0\\.0\\.1:[0-9]+ sent ";
    Client client(server);
    const std::string bytes = random_bytes(100'000);
    REQUIRE(client.exchange(bytes) == bytes);
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
    wait_until("the server says what the client has sent",
               [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(), Matches(client_sent + "100000 bytes\n"));

    Client resets(server);
    REQUIRE(resets.exchange("hello") == "hello");
    resets.reset();
    wait_until("the server says what happened, and what the client has sent",
               [&] { return count_lines(server.diagnostics()) == 3; });
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring(": Connection reset by peer\n"));
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring(" sent 5 bytes\n"));
}
