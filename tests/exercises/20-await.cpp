// The exercises of chapter 20: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --company a client is served when as many are there, and all of them then",
          "[.exercise]") {
    const Server server({.arguments = {"--port", "0", "--company", "3"}});
    Client first(server);
    first.send("first");
    Client second(server);
    second.send("second");
    wait_until_at_rest(server);
    REQUIRE_FALSE(first.has_input());
    REQUIRE_FALSE(second.has_input());

    Client third(server);
    REQUIRE(third.exchange("third") == "third");
    REQUIRE(first.receive(5) == "first");
    REQUIRE(second.receive(6) == "second");
    for (int i = 0; i < 3; ++i) {
        REQUIRE(first.exchange("again") == "again");
        REQUIRE(second.exchange("and again") == "and again");
    }

    Client later(server);
    REQUIRE(later.exchange("later") == "later");  // Enough have been there.
    REQUIRE(third.exchange("still there?") == "still there?");
}

TEST_CASE(
    "with --look-up each client is told the address of the name, by the thread that serves them "
    "all, and then echoed",
    "[.exercise]") {
    require_strace();
    Program server("strace",
                   {.arguments = {"-f", "-qq", "-o", "/dev/stderr", "-e", "signal=none", "-e",
                                  "trace=sendto,clone3", chapter_under_test().server, "--port", "0",
                                  "--look-up", "127.0.0.1"}});
    const Endpoint endpoint = parse_ready_line(server.read_line());
    {
        std::vector<Client> clients;
        for (int i = 0; i < 5; ++i) {
            clients.emplace_back(endpoint);
        }
        for (Client& client : clients) {
            REQUIRE(client.receive(10) == "127.0.0.1\n");
            REQUIRE(client.exchange("hello") == "hello");
        }
    }
    server.kill_all();
    server.wait_for_exit();
    // 1234  sendto(5, ...
    std::set<std::string> senders;
    bool has_thread = false;
    std::istringstream log(server.diagnostics());
    for (std::string line; std::getline(log, line);) {
        has_thread = has_thread || line.find("clone3(") != std::string::npos;
        if (line.find("MSG_NOSIGNAL") != std::string::npos) {  // The library sends, too.
            senders.insert(line.substr(0, line.find(' ')));
        }
    }
    REQUIRE(has_thread);           // The library's.
    REQUIRE(senders.size() == 1);  // Not one of them.
}
