// The exercises of chapter 22: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --relay-to a client talks to another server, and both connections end together",
          "[.exercise]") {
    Server far;
    const Server relay(
        {.arguments = {"--port", "0", "--relay-to", std::to_string(far.endpoint().port)}});
    const auto wait_until_all_are_gone = [&] {
        wait_until("the relay has no connection", [&] { return relay.count_clients() == 0; });
        wait_until("the other server has none", [&] { return far.count_clients() == 0; });
    };

    {
        const Client silent(relay);  // Keeps nobody waiting.
        Client client(relay);
        client.send("hello, ");
        wait_until("both are connected through", [&] { return far.count_clients() == 2; });
        client.send("world");
        client.half_close();
        REQUIRE(client.receive_to_end() == "hello, world");

        Client larger(relay);
        const std::string bytes = random_bytes(100'000);
        larger.send(bytes);
        larger.half_close();
        REQUIRE(larger.receive_to_end() == bytes);
    }
    wait_until_all_are_gone();
    REQUIRE(relay.diagnostics().empty());

    {
        Client resets(relay);
        resets.send("hello");
        wait_until("it is connected through", [&] { return far.count_clients() == 1; });
        resets.reset();
        wait_until_all_are_gone();
    }

    if (can_attach_strace()) {
        // The first call says that it has taken one byte, and has taken none. The others follow.
        const FaultInjection short_send(relay, "sendto:retval=1:when=1");
        Client client(relay);
        client.send("hello");
        client.half_close();
        REQUIRE(client.receive_to_end() == "ello");
        REQUIRE(short_send.count() == 1);
    }
    wait_until_all_are_gone();

    const std::string before = relay.diagnostics();
    far.kill_all();
    Client alone(relay);
    REQUIRE(alone.receive_to_end().empty());
    wait_until("the relay has said so", [&] { return relay.diagnostics().size() > before.size(); });
    REQUIRE_THAT(relay.diagnostics(), Catch::Matchers::EndsWith("connect: Connection refused\n"));
    REQUIRE(relay.is_running());
}
