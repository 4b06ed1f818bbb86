// `coroutines`: coroutines over epoll.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::Matches;

namespace {

/// The calls of each descriptor, in their order. Where epoll_wait() did not have to sleep is left
/// out: a coroutine goes on by itself where a callback was called once more.
std::map<std::string, std::vector<std::string>> by_descriptor(
    const std::vector<std::string>& calls) {
    std::map<std::string, std::vector<std::string>> found;
    for (std::string call : calls) {
        const std::size_t open = call.find('(');
        const std::string first = call.substr(open + 1, call.find_first_of(",)") - open - 1);
        if (first.empty() || std::isdigit(static_cast<unsigned char>(first.front())) == 0) {
            continue;
        }
        const std::size_t timeout = call.find(", 64, ");
        found[first].push_back(call.substr(0, timeout));
    }
    return found;
}

}  // namespace

TEST_CASE("the server makes the same system calls as with callbacks", "[why]") {
    require_strace();
    const auto before = by_descriptor(system_calls_of_a_session(chapter_before()));
    const auto now = by_descriptor(system_calls_of_a_session(chapter_under_test()));
    REQUIRE(before.size() == 4);  // stderr, the listener, epoll, and the client's.
    REQUIRE(now == before);
}

TEST_CASE("a client whom epoll cannot take ends alone", "[promise]") {
    require_strace();
    const Server server;
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}
