// The exercises of chapter 55: what must hold when they are done.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/installed.hpp"
#include "support/notifications.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"
#include "support/upgrade.hpp"

TEST_CASE("with --try-first a next version that does not run is not started", "[.exercise]") {
    require_io_uring();
    const Notifications manager("");
    Installed installed(chapter_under_test());
    Server server(installed.chapter(),
                  told_to(manager, {.arguments = {"--port", "0", "--try-first", "1"}}));
    REQUIRE(manager.next() == "READY=1");
    installed.install_script("exit 3");
    server.signal(SIGHUP);
    wait_until("the server has said why", [&] { return count_lines(server.diagnostics()) == 1; });
    REQUIRE(server.diagnostics() == "upgrade: the next version does not run\n");
    REQUIRE(proc::children(server.pid()).empty());
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    installed.install();
    upgrade(server.pid(), manager);
    REQUIRE(server.wait_for_exit() == "exit 0");
    Client late(server);
    REQUIRE(late.exchange("hello") == "hello");
}
