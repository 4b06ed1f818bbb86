// The exercises of chapter 26: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --at-least an echo comes when enough bytes have come, and needs no memory",
          "[.exercise]") {
    require_failing_allocations();
    const Server server(
        {.arguments = {"--port", "0", "--at-least", "4"}, .allocations_can_fail = true});
    Client client(server);
    REQUIRE(client.exchange("warm") == "warm");
    wait_until_at_rest(server);
    server.fail_allocation(1);
    for (int i = 0; i < 20; ++i) {
        client.send("a");
        wait_until_at_rest(server);
        client.send("bc");
        wait_until_at_rest(server);
        REQUIRE_FALSE(client.has_input());
        client.send("defg");
        REQUIRE(client.receive(7) == "abcdefg");
    }
    REQUIRE(server.allocations_left() == 1);

    client.send("hi");
    wait_until_at_rest(server);
    REQUIRE_FALSE(client.has_input());
    client.half_close();
    REQUIRE(client.receive_to_end() == "hi");
    server.fail_allocation(0);

    // A piece and the end of the input in one go: they may be one event.
    server.stop_all();
    Client another(server);
    another.send("bye");
    another.half_close();
    server.continue_all();
    REQUIRE(another.receive_to_end() == "bye");
    REQUIRE(server.diagnostics().empty());
}
