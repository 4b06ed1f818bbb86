// The exercises of chapter 38: what must hold when they are done.

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <vector>

#include "check.hpp"
#include "fd.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

TEST_CASE("with --first each client gets a file that the ring has read, and then its echo",
          "[.exercise]") {
    require_io_uring();
    const std::string bytes = random_bytes(200'000);
    const Fd file{check(::memfd_create("file", MFD_CLOEXEC), "memfd_create")};
    REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == 200'000);
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.get());
    const Server server({.arguments = {"--port", "0", "--first", path}});
    std::optional<SystemCallTrace> trace;
    if (can_attach_strace()) {
        trace.emplace(server, "read,pread64,readv,preadv,preadv2,sendfile,splice");
    }
    // Side by side: neither takes bytes from the other.
    Client one(server);
    Client other(server);
    REQUIRE(one.receive(100'000) == bytes.substr(0, 100'000));
    REQUIRE(other.receive(200'000) == bytes);
    REQUIRE(one.receive(100'000) == bytes.substr(100'000));
    REQUIRE(one.exchange("hello") == "hello");
    REQUIRE(other.exchange("hello") == "hello");
    if (trace) {
        REQUIRE(trace->lines().empty());
    }

    const Run run = run_to_end({.arguments = {"--port", "0", "--first", path + "/none"}});
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
    REQUIRE(run.err == "error: open " + path + "/none: Not a directory\n");
}
