// The exercises of chapter 57: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/notifications.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("with --say-who-stays the old version says how many clients it has", "[.exercise]") {
    require_io_uring();
    const Notifications manager("");
    Server server(told_to(manager, {.arguments = {"--port", "0", "--workers", "1", "--overlap",
                                                  "300", "--say-who-stays", "1"}}));
    REQUIRE(manager.next() == "READY=1");
    std::vector<Client> clients = connect_clients(server, 3);
    upgrade(server.pid(), manager);
    for (Client& client : clients) {
        REQUIRE(client.receive_to_end().empty());
        client.close();
    }
    REQUIRE(server.wait_for_exit() == "exit 0");
    REQUIRE(server.diagnostics() ==
            "overlap: 3 clients stay\noverlap: 3 clients are told the end\n");
}
