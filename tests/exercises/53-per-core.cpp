// The exercises of chapter 53: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --pin each worker stays on one core", "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--workers", "2", "--pin", "1"}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    std::set<std::string> allowed;
    int pinned = 0;
    for (const std::string& list : proc::allowed_cores_of_threads(server.pid())) {
        const bool is_one = list.find_first_not_of("0123456789") == std::string::npos;
        pinned += is_one ? 1 : 0;
        allowed.insert(list);
    }
    if (allowed.size() == 1) {
        SKIP("there is one core here, and every thread is on it");
    }
    REQUIRE(pinned == 2);
    REQUIRE(allowed.size() == 3);  // Those of the two, and those of the main thread.
}
