// The exercises of chapter 41: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --ferry two are taken in, and the next two when both have left", "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--ferry", "2"}});
    for (int crossing = 0; crossing < 3; ++crossing) {
        CAPTURE(crossing);
        std::vector<Client> aboard = connect_clients(server, 2);
        Client next(server);
        next.send("hello");
        wait_until_at_rest(server);
        REQUIRE(proc::accept_queue_length(server.endpoint()) == 1);
        // One has left, and there would be room.
        aboard[0].half_close();
        REQUIRE(aboard[0].receive_to_end().empty());
        wait_until_at_rest(server);
        REQUIRE_FALSE(next.has_input());
        REQUIRE(aboard[1].exchange("still aboard") == "still aboard");
        aboard[1].half_close();
        REQUIRE(next.receive(5) == "hello");
        // The ferry has one aboard now, and takes one more.
        Client last(server);
        REQUIRE(last.exchange("hello") == "hello");
        last.half_close();
        next.half_close();
        REQUIRE(next.receive_to_end().empty());
        REQUIRE(last.receive_to_end().empty());
    }
    const Server usual({.arguments = {"--port", "0", "--ferry", "0"}});
    REQUIRE(connect_clients(usual, 5).size() == 5);
}
