// The exercises of chapter 34: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("with --record a client has its bytes back record by record, and the rest at its end",
          "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--record", "10"}});
    Client slow(server);
    slow.send("12345");
    wait_until_at_rest(server);
    Client other(server);  // Whoever waits for the rest of a record keeps nobody waiting.
    REQUIRE(other.exchange("0123456789") == "0123456789");
    REQUIRE_FALSE(slow.has_input());
    slow.send("67");
    wait_until_at_rest(server);
    REQUIRE_FALSE(slow.has_input());
    slow.send("890abc");
    REQUIRE(slow.receive(10) == "1234567890");
    wait_until_at_rest(server);
    REQUIRE_FALSE(slow.has_input());
    slow.half_close();
    REQUIRE(slow.receive_to_end() == "abc");

    const std::string bytes = random_bytes(1'000'005);
    other.send(bytes);
    other.half_close();
    const bool same = other.receive_to_end() == bytes;
    REQUIRE(same);

    const Run run = run_to_end({.arguments = {"--port", "0", "--record", "65537"}});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, ContainsSubstring("--record wants a whole number from 0 to 65536"));
}
