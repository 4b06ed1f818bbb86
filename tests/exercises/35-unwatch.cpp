// The exercises of chapter 35: what must hold when they are done.

#include <sys/resource.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// How many descriptors of epoll a server has.
std::size_t count_epolls(const Server& server) {
    std::size_t count = 0;
    const std::string folder = "/proc/" + std::to_string(server.pid()) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone);
        count += target == "anon_inode:[eventpoll]" ? 1 : 0;
    }
    return count;
}

}  // namespace

TEST_CASE("the thread waits for the ring with poll(), as long as it has to", "[.exercise]") {
    require_io_uring();
    require_strace();
    REQUIRE(count_epolls(Server(chapter_before())) == 1);
    const Server server;
    REQUIRE(count_epolls(server) == 0);
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    {
        const SystemCallTrace trace(server, "poll,ppoll");
        for (int i = 0; i < 10; ++i) {
            REQUIRE(client.exchange("hello") == "hello");
            wait_until_at_rest(server);
        }
        const std::size_t waits = trace.count("poll") + trace.count("ppoll");
        CAPTURE(waits);
        REQUIRE((waits == 9 || waits == 10));
    }
    // A pause is not slept through, and ends.
    const Server short_of_descriptors(with_descriptors_for(0));
    const Client waits(short_of_descriptors);
    wait_until("the server says what it lacks",
               [&] { return !short_of_descriptors.diagnostics().empty(); });
    short_of_descriptors.limit(RLIMIT_NOFILE, 64);
    Client served(short_of_descriptors);
    REQUIRE(served.exchange("hello") == "hello");
}
