// The counters, on a server whose calls and allocations are known.

#include "bench/per_message.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <string>

#include "bench/allocation_counter.hpp"
#include "support/client.hpp"

namespace {

std::string allocating_server() {
    return std::filesystem::canonical("/proc/self/exe").parent_path() / "allocating-server";
}

}  // namespace

TEST_CASE("each allocation of a server, its threads and its children is counted") {
    const std::string place = GENERATE("main", "thread", "child");
    CAPTURE(place);
    const AllocationCounter allocations;
    const MeasuredServer server(allocations.command_for(allocating_server() + " " + place));
    Client client(server.endpoint());
    client.exchange("once to begin with");
    REQUIRE(allocations.covers(server));
    const std::uint64_t before = allocations.count();
    for (std::uint64_t message = 1; message <= 10; ++message) {
        REQUIRE(client.exchange("x") == "x");
        REQUIRE(allocations.count() - before == 7 * message);
    }
}

TEST_CASE("a server that is started without the library is not taken for one without allocations") {
    const AllocationCounter allocations;
    const MeasuredServer server(allocating_server() + " main");
    REQUIRE_FALSE(allocations.covers(server));
}

TEST_CASE("calls and allocations are counted for the messages of the load and for nothing else") {
    const MessageCounts counts = count_per_message(
        allocating_server() + " main", {.connections = 1}, std::chrono::milliseconds{50});
    REQUIRE(counts.wrong_bytes == 0);
    REQUIRE(counts.allocations == 7 * counts.messages);
    // A read and a send each. The server waits in its first read while strace attaches: strace sees
    // that read begin again, or the first message comes before, and it sees nothing of it.
    REQUIRE(counts.calls + 1 >= 2 * counts.messages);
    REQUIRE(counts.calls <= 2 * counts.messages + 1);
}

TEST_CASE("a server that ends before it listens is named, with what it has said") {
    REQUIRE_THROWS_WITH(
        count_per_message("cat --no-such-option", {}, std::chrono::milliseconds{50}),
        Catch::Matchers::ContainsSubstring("cat --no-such-option") &&
            Catch::Matchers::ContainsSubstring("unrecognized option"));
}
