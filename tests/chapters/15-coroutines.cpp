// Chapter 15: coroutines over epoll.

#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

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
    if (!can_attach_strace()) {
        SKIP("strace may not attach to a running process here (./learn doctor tells)");
    }
    const auto before = by_descriptor(system_calls_of_a_session(chapter_before()));
    const auto now = by_descriptor(system_calls_of_a_session(chapter_under_test()));
    REQUIRE(before.size() == 4);  // stderr, the listener, epoll, and the client's.
    REQUIRE(now == before);
}

TEST_CASE("more bytes than one turn takes are echoed to the end", "[promise]") {
    const Server server;
    Client client(server, {.receive_buffer = 4 * 1024 * 1024, .send_buffer = 4 * 1024 * 1024});
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    const std::string sent = send_until_server_is_held_back(client);
    client.half_close();
    server.continue_all();
    const bool same = client.receive_to_end() == sent;
    REQUIRE(same);
}

TEST_CASE("ten thousand clients are served at once", "[promise]") {
    require_echoes_for_all_of(10000);
}

TEST_CASE("an echo costs two system calls and more", "[limit]") {
    if (!can_attach_strace()) {
        SKIP("strace may not attach to a running process here (./learn doctor tells)");
    }
    REQUIRE(system_calls_of_ten_echoes(chapter_under_test()) >= 30);
}
