// The exercises of chapter 32: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a server that ends says of how many sends the kernel has let go, if of any",
          "[.exercise]") {
    require_io_uring();
    require_strace();
    const unsigned held_back = GENERATE(0U, 1U, 3U);
    CAPTURE(held_back);
    Server server;
    std::vector<Client> clients;
    for (unsigned i = 0; i < held_back; ++i) {
        clients.emplace_back(server);
        send_until_server_is_held_back(clients.back(), i);
    }
    clients.emplace_back(server);
    REQUIRE(clients.back().exchange("hello") == "hello");  // Done, so nobody has to let go of it.
    const FaultInjection broken(server, "accept4:error=EBADF");
    server.stop_all();  // So that the connection is there before the server ends.
    const Client next(server);
    server.continue_all();
    REQUIRE(server.wait_for_exit() == "exit 1");
    REQUIRE_THAT(server.diagnostics(), ContainsSubstring("error: accept: Bad file descriptor\n"));
    if (held_back == 0) {
        REQUIRE_THAT(server.diagnostics(), !ContainsSubstring("let go"));
    } else {
        REQUIRE_THAT(server.diagnostics(),
                     ContainsSubstring("let go of " + std::to_string(held_back) + " sends\n"));
    }
}
