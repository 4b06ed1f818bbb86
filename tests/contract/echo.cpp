// Whatever bytes a client sends come back, in order.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("what a client sends comes back unchanged, from 1 byte to 4 MiB", "[contract][wire]") {
    constexpr std::size_t kib = 1024;
    const std::size_t size = GENERATE(std::size_t{1}, std::size_t{2}, 1000, 64 * kib - 1, 64 * kib,
                                      64 * kib + 1, 1024 * kib, 4096 * kib);
    CAPTURE(size);
    const Server server;
    Client client(server);
    const std::string sent = random_bytes(size);
    const bool same = client.exchange(sent) == sent;
    REQUIRE(same);
}

TEST_CASE("every byte comes back before the next is sent", "[contract][wire]") {
    const Server server;
    Client client(server);
    for (const char byte : random_bytes(500)) {
        client.send({&byte, 1});
        REQUIRE(client.receive(1) == std::string(1, byte));
    }
}

TEST_CASE("many small messages that nobody waits for come back in order", "[contract][wire]") {
    const Server server;
    Client client(server);
    const std::string message = random_bytes(7);
    std::string sent;
    for (int i = 0; i < 2000; ++i) {
        sent += message;
        client.send(message);
    }
    const bool same = client.receive(sent.size()) == sent;
    REQUIRE(same);
}

TEST_CASE("bytes of every value come back, the zero byte too", "[contract][wire]") {
    const Server server;
    Client client(server);
    std::string every_value;
    for (int value = 0; value < 256; ++value) {
        every_value += static_cast<char>(value);
    }
    REQUIRE(client.exchange(every_value) == every_value);
}

TEST_CASE("a byte that is sent as urgent comes back in its place", "[contract]") {
    const Server server;
    Client client(server);
    for (int i = 0; i < 10; ++i) {
        client.send("before");
        client.send_urgent('!');
        client.send("after");
        REQUIRE(client.receive(12) == "before!after");
    }
}

TEST_CASE("a client that closes its sending side still gets all that is to come, then end of file",
          "[contract][wire]") {
    const Server server;
    Client client(server);
    const std::string first = random_bytes(240 * 1024);
    const bool same_at_first = client.exchange(first) == first;
    REQUIRE(same_at_first);
    // Small enough for the buffers of the slimmest machine: nothing is read until all has been
    // sent.
    const std::string rest = random_bytes(16 * 1024, 2);
    client.send(rest);
    client.half_close();
    const bool same_at_last = client.receive_to_end() == rest;
    REQUIRE(same_at_last);
}

TEST_CASE("a client that sends nothing and closes its sending side gets end of file",
          "[contract][wire]") {
    const Server server;
    Client client(server);
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
}
