// A server does not trust what it inherits from the program that starts it: which signals are
// ignored or blocked.

#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/server.hpp"

namespace {

/// A start with the signals that chapters rely on ignored, or blocked.
StartSettings with_signals(const std::string& way) {
    const std::vector<int> signals{SIGCHLD, SIGPIPE, SIGTERM, SIGIO, SIGRTMIN, SIGUSR1};
    StartSettings settings;
    if (way == "ignored") {
        settings.ignored_signals = signals;
    } else {
        settings.blocked_signals = signals;
    }
    return settings;
}

}  // namespace

TEST_CASE("signals that were ignored or blocked before the server was started change nothing",
          "[contract]") {
    const std::string way = GENERATE("ignored", "blocked");
    CAPTURE(way);
    Server server(with_signals(way));
    for (int i = 0; i < 5; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
        client.half_close();
        REQUIRE(client.receive_to_end().empty());
    }
    wait_until("no child is left that has ended",
               [&] { return proc::count_zombies(server.pid()) == 0; });
    server.signal(SIGTERM);
    const std::string end = server.wait_for_exit();
    REQUIRE((end == "killed by SIGTERM" || end == "exit 0"));
}
