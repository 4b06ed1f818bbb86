// Whatever is wrong with the command line or the surroundings is said in one clear line on stderr.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>

#include "support/server.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

TEST_CASE("a bad option is named, the usage follows, and the exit code is 2", "[contract]") {
    using Arguments = std::vector<std::string>;
    const auto [arguments, complaint] = GENERATE(table<Arguments, std::string>({
        {{"--bogus"}, "bogus"},
        {{"--port"}, "port"},
        {{"--port", ""}, "--port wants a whole number from 0 to 65535, not ''"},
        {{"--port", "abc"}, "--port wants a whole number from 0 to 65535, not 'abc'"},
        {{"--port", "80x"}, "not '80x'"},
        {{"--port", "-1"}, "port"},
        {{"--port=-1"}, "--port wants a whole number from 0 to 65535, not '-1'"},
        {{"--port", "65536"}, "not '65536'"},
        {{"--port", "99999999999999999999"}, "not '99999999999999999999'"},
        {{"--backlog", "0"}, "--backlog wants a whole number from 1 to "},
        {{"--backlog", "many"}, "not 'many'"},
        {{"--host", ""}, "--host wants an address or a name"},
        {{"stray"}, "'stray' is not an option"},
    }));
    CAPTURE(arguments);
    const Run run = run_to_end({.arguments = arguments});
    REQUIRE(run.exit_status == "exit 2");
    REQUIRE_THAT(run.err, StartsWith("error: "));
    const std::string first_line = run.err.substr(0, run.err.find('\n'));
    REQUIRE_THAT(first_line, ContainsSubstring(complaint));
    REQUIRE_THAT(run.err, ContainsSubstring("--backlog COUNT"));
    REQUIRE(run.out.empty());
}

TEST_CASE("an address that is in use is named, and the exit code is 1", "[contract]") {
    const Server first;
    const std::string port = std::to_string(first.endpoint().port);
    const Run run = run_to_end({.arguments = {"--port", port}});
    REQUIRE(run.err == "error: bind 127.0.0.1:" + port + ": Address already in use\n");
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("a port that needs rights is named, and the exit code is 1", "[contract]") {
    int first_unprivileged_port = 1024;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_unprivileged_port;
    if (first_unprivileged_port <= 1) {
        SKIP("net.ipv4.ip_unprivileged_port_start lets everybody bind every port here");
    }
    const Run run = run_to_end({.arguments = {"--port", "1"}, .unprivileged = true});
    REQUIRE(run.err == "error: bind 127.0.0.1:1: Permission denied\n");
    REQUIRE(run.exit_status == "exit 1");
}

// 192.0.2.0/24 is kept for documentation (RFC 5737): no machine has such an address.
TEST_CASE("an address of another machine is named, and the exit code is 1", "[contract]") {
    const Run run = run_to_end({.arguments = {"--host", "192.0.2.1", "--port", "9877"}});
    REQUIRE(run.err == "error: bind 192.0.2.1:9877: Cannot assign requested address\n");
    REQUIRE(run.exit_status == "exit 1");
}

// A name with an empty label is no name at all, so the answer is the same with and without a
// network.
TEST_CASE("a name that cannot be resolved is named, and the exit code is 1", "[contract]") {
    const Run run = run_to_end({.arguments = {"--host", "no..such.name", "--port", "0"}});
    REQUIRE_THAT(run.err, StartsWith("error: resolve no..such.name: "));
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("a closed stdout is an error, since nobody could read where the server listens",
          "[contract]") {
    const Run run = run_to_end({.closed_descriptors = {1}});
    REQUIRE_THAT(run.err, StartsWith("error: stdout is closed"));
    REQUIRE(run.exit_status == "exit 1");
}

TEST_CASE("a full stdout is an error, since nobody could read where the server listens",
          "[contract]") {
    require_io_uring();
    const Run run = run_to_end({.stdout_path = "/dev/full"});
    REQUIRE(run.err == "error: write the ready line to stdout: No space left on device\n");
    REQUIRE(run.exit_status == "exit 1");
}
