// The exercises of chapter 54: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/open_listener.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

TEST_CASE(
    "with --end-when-idle a server without clients ends, and the next client is served by "
    "the next server",
    "[.exercise]") {
    require_io_uring();
    const OpenListener listener;
    const StartSettings settings{.arguments = {"--end-when-idle", "200"},
                                 .listeners = {listener.fd().get()}};
    for (int round = 0; round < 2; ++round) {
        Client client(listener.endpoint());
        client.send("hello");
        Server server(settings);
        REQUIRE(client.receive(5) == "hello");
        // The first thread looks, and finds the client, again and again.
        const long long before = proc::voluntary_switches(server.pid());
        wait_until("the server has looked for clients",
                   [&] { return proc::voluntary_switches(server.pid()) >= before + 3; });
        REQUIRE(client.exchange("still there?") == "still there?");
        client.close();
        REQUIRE(server.wait_for_exit() == "exit 0");
        REQUIRE(server.diagnostics().empty());
    }
}
