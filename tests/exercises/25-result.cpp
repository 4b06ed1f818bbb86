// The exercises of chapter 25: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

TEST_CASE("with --lines 1 a line comes back when its line feed has come, and not before",
          "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--lines", "1"}});
    Client client(server);
    client.send("hel");
    wait_until_at_rest(server);
    REQUIRE_FALSE(client.has_input());
    client.send("lo\nand\n\nmo");
    REQUIRE(client.receive(11) == "hello\nand\n\n");
    wait_until_at_rest(server);
    REQUIRE_FALSE(client.has_input());
    client.send("re\n");
    REQUIRE(client.receive(5) == "more\n");
    const std::string line = std::string(60'000, 'x') + "\n";
    REQUIRE(client.exchange(line + line) == line + line);

    Client endless(server);
    endless.send(std::string(70'000, 'x'));
    wait_until("the server says why it ends the client",
               [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: a line is longer than 64 KiB\n"));
    wait_until("the client is gone", [&] { return server.count_clients() == 1; });

    client.send("the last words");
    client.half_close();
    REQUIRE(client.receive_to_end() == "the last words");
}
