// The exercises of chapter 27: what must hold when they are done.

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "check.hpp"
#include "fd.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

TEST_CASE("with --banner each client gets the file and then its echo, and may be slow or reset",
          "[.exercise]") {
    constexpr std::size_t size = 8 * 1024 * 1024;  // More than the kernel keeps for one client.
    const std::string bytes = random_bytes(size);
    const Fd file{check(::memfd_create("file", MFD_CLOEXEC), "memfd_create")};
    REQUIRE(::write(file.get(), bytes.data(), size) == static_cast<ssize_t>(size));
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.get());
    const Server server({.arguments = {"--port", "0", "--banner", path}});

    Client slow(server, {.receive_buffer = 4096});
    wait_until_at_rest(server);
    Client other(server);
    REQUIRE(other.receive(size) == bytes);
    REQUIRE(other.exchange("hello") == "hello");

    Client resets(server, {.receive_buffer = 4096});
    wait_until_at_rest(server);
    resets.half_close();  // So that sending to it comes to EPIPE, and may come to SIGPIPE.
    resets.reset();
    wait_until_at_rest(server);
    REQUIRE(server.is_running());

    REQUIRE(slow.receive(size) == bytes);
    REQUIRE(slow.exchange("hello") == "hello");
    REQUIRE(other.exchange("still there?") == "still there?");

    const Run run = run_to_end({.arguments = {"--port", "0", "--banner", path + "/none"}});
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
    REQUIRE(run.err == "error: open " + path + "/none: Not a directory\n");
}
