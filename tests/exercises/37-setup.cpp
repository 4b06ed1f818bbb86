// The exercises of chapter 37: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

/// What the server has said before its ready line, where the kernel refuses this many sets of
/// flags. A client is served then.
std::string told_where(int refused, const std::string& tell) {
    std::vector<std::string> arguments{"-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup"};
    if (refused > 0) {
        arguments.insert(arguments.end(), {"-e", "inject=io_uring_setup:error=EINVAL:when=1.." +
                                                     std::to_string(refused)});
    }
    arguments.insert(arguments.end(), {chapter_under_test().server, "--port", "0", "--tell", tell});
    Program server("strace", {.arguments = arguments});
    Client client(parse_ready_line(server.read_line()));
    REQUIRE(client.exchange("hello") == "hello");
    return server.diagnostics();
}

}  // namespace

TEST_CASE("with --tell the server says which ring the kernel has granted", "[.exercise]") {
    require_io_uring();
    require_strace();
    const std::string deferred = "ring: work is deferred until it is asked for\n";
    const std::string cooperative = "ring: work is done with the next system call\n";
    const std::string neither = "ring: work interrupts the thread\n";
    REQUIRE(told_where(0, "0").empty());
    REQUIRE(told_where(2, "1") == neither);
    // On an older kernel it is less than what was asked for.
    const std::string with_one_refused = told_where(1, "1");
    REQUIRE((with_one_refused == cooperative || with_one_refused == neither));
    const std::string with_none_refused = told_where(0, "1");
    REQUIRE((with_none_refused == deferred || with_none_refused == with_one_refused));
}
