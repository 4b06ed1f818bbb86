// `epoll`: epoll keeps the interest in the kernel, level-triggered.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("the list of clients stays with the kernel", "[why]") {
    require_strace();
    REQUIRE(descriptors_passed_for_an_echo(chapter_before_side_road()) ==
            "every wake-up looks at everybody");
    REQUIRE(descriptors_passed_for_an_echo(chapter_under_test()) == "nobody else is looked at");
}

TEST_CASE("there is no queue that could overflow", "[why]") {
    REQUIRE(news_of_twenty_clients_at_once(chapter_before()) == "the queue of signals overflows");
    REQUIRE(news_of_twenty_clients_at_once(chapter_under_test()) == "there is no queue of signals");
}

TEST_CASE("a wake-up passes the kernel no list of clients, however many are silent", "[promise]") {
    require_strace();
    const Server server;
    std::vector<Client> clients = connect_clients(server, 50);
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,epoll_ctl,read,sendto");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(clients.front().exchange("hello") == "hello");
    }
    wait_until_at_rest(server);
    const std::size_t waits = trace.count("epoll_wait") + trace.count("epoll_pwait");
    REQUIRE((waits == 10 || waits == 9));  // The first has begun before strace came.
    REQUIRE(trace.count("read") == 10);
    REQUIRE(trace.count("sendto") == 10);
    REQUIRE(trace.count("epoll_ctl") == 0);
    for (const std::string& line : trace.lines()) {
        CAPTURE(line);
        const bool returns_a_wait =
            line.starts_with("epoll_") && line.find(" = ") != std::string::npos;
        REQUIRE((!returns_a_wait || line.ends_with(" = 1")));
    }
}

TEST_CASE("a client that has not been read to the end is reported again", "[promise]") {
    require_strace();
    require_echoes_in_spite_of_false_eagain();
}

TEST_CASE("a client whom epoll cannot take is turned away, and the others stay", "[promise]") {
    require_strace();
    require_turned_away_without_room_in_epoll();
}

TEST_CASE("a client whose interest epoll cannot change ends alone", "[promise]") {
    require_strace();
    const Server server;
    std::vector<Client> clients = connect_clients(server, 2);
    {
        const FaultInjection no_memory(server, "epoll_ctl:error=ENOMEM:when=1");
        const std::string bytes = random_bytes(1 << 20);
        wait_until("a client that does not read is to wait for room", [&] {
            try {
                clients.front().send_some(bytes);
            } catch (const std::system_error&) {
                // The server has ended it.
            }
            return no_memory.count() >= 1;
        });
        wait_until("the server reports the client", [&] { return !server.diagnostics().empty(); });
    }
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::Matches(
                     "client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: Cannot allocate memory\n"));
    REQUIRE(clients.back().exchange("still there?") == "still there?");
}

TEST_CASE("each change of interest costs a system call", "[limit]") {
    require_strace();
    REQUIRE(interest_in_a_slow_reader(chapter_under_test()) ==
            "a system call for each change of interest");
}
