// The peers keep the contract that whoever measures them relies on.

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/measured_server.hpp"
#include "chapters/scenarios.hpp"
#include "support/client.hpp"

namespace {

namespace fs = std::filesystem;

/// The peers that have been built beside this test; the test is skipped where there are none.
std::vector<std::string> peers_that_are_here() {
    std::vector<std::string> found;
    for (const auto& entry :
         fs::directory_iterator(fs::canonical("/proc/self/exe").parent_path())) {
        if (entry.path().filename().string().starts_with("peer-")) {
            found.push_back(entry.path());
        }
    }
    if (found.empty()) {
        SKIP("no peer has been built (cmake --build build --target peers)");
    }
    return found;
}

/// Does not compare in a REQUIRE, which would print megabytes.
bool is_echoed(Client& client, const std::string& message) {
    return client.exchange(message) == message;
}

}  // namespace

TEST_CASE("each peer that is here echoes what it is sent, to each client its own", "[peers]") {
    for (const std::string& peer : peers_that_are_here()) {
        CAPTURE(peer);
        const MeasuredServer server(peer);
        std::vector<Client> clients;
        for (int i = 0; i < 10; ++i) {
            clients.emplace_back(server.endpoint());
        }
        for (const std::size_t size : {1, 64, 5'000, 1'000'000}) {
            for (unsigned i = 0; i < clients.size(); ++i) {
                CAPTURE(size, i);
                REQUIRE(is_echoed(clients[i], random_bytes(size, i)));
            }
        }
        for (Client& client : clients) {
            client.half_close();
            REQUIRE(client.receive_to_end().empty());
        }
    }
}

TEST_CASE(
    "each peer that is here holds back a client that does not read, and has all of its bytes "
    "for it later",
    "[peers]") {
    for (const std::string& peer : peers_that_are_here()) {
        CAPTURE(peer);
        const MeasuredServer server(peer);
        Client slow(server.endpoint(), {.receive_buffer = 16 * 1024});
        const std::string sent = send_until_server_is_held_back(slow);
        Client other(server.endpoint());
        REQUIRE(is_echoed(other, "still there?"));
        const bool is_whole = slow.receive(sent.size()) == sent;
        REQUIRE(is_whole);
        REQUIRE(is_echoed(slow, "and now?"));
    }
}

TEST_CASE("no peer that is here minds a client that resets", "[peers]") {
    for (const std::string& peer : peers_that_are_here()) {
        CAPTURE(peer);
        const MeasuredServer server(peer);
        Client constant(server.endpoint());
        for (int i = 0; i < 20; ++i) {
            Client client(server.endpoint());
            REQUIRE(is_echoed(client, "hello"));
            client.send_some(random_bytes(512 * 1024));
            client.reset();
            REQUIRE(is_echoed(constant, "still there?"));
        }
    }
}
