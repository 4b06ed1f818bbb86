// `multishot`: asked once, the kernel goes on; and buffers are for those who have bytes.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

TEST_CASE("silent clients keep no buffer", "[why]") {
    require_io_uring();
    REQUIRE(buffers_of_silent_clients(chapter_before()) == "each silent client keeps a buffer");
    REQUIRE(buffers_of_silent_clients(chapter_under_test()) == "silent clients keep no buffer");
}

TEST_CASE("an echo costs one entry in the ring: the send", "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(entries_for_ten_echoes(chapter_before()) == "two for each echo");
    REQUIRE(entries_for_ten_echoes(chapter_under_test()) == "one for each echo");
}

TEST_CASE("without buffer rings the server says what it lacks, and exits with 1", "[promise]") {
    require_io_uring();
    require_strace();
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"EINVAL", "Invalid argument: no ring of provided buffers"},
        {"ENOMEM", "Cannot allocate memory: the limit on locked memory"},
    }));
    const std::string server = chapter_under_test().server;
    Program strace("strace",
                   {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_register",
                                  "-e", "inject=io_uring_register:error=" + error + ":when=3",
                                  server, "--port", "0"}});
    REQUIRE(strace.read_to_end().empty());
    REQUIRE(strace.wait_for_exit() == "exit 1");
    REQUIRE_THAT(strace.diagnostics(), StartsWith("error: io_uring_register: " + words));
}
