// Chapter 16: coroutines over io_uring; the engine has been replaced, and nothing else.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "io.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

std::string read_source(const std::string& path) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / path);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The server's end when io_uring_setup() fails with this error.
Run run_without_io_uring(const std::string& error) {
    const std::string server = chapter_under_test().server;
    Program strace(
        "strace", {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e",
                                 "inject=io_uring_setup:error=" + error, server, "--port", "0"}});
    Run run;
    run.out = strace.read_to_end();
    run.exit_status = strace.wait_for_exit();
    run.err = strace.diagnostics();
    return run;
}

}  // namespace

TEST_CASE("fifty echoes cost a handful of system calls", "[why]") {
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_before()) == "two and more for each echo");
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("the server and the task are the same to the byte as on epoll", "[promise]") {
    for (const std::string file : {"server.cpp", "task.hpp"}) {
        const bool same =
            read_source("16-io-uring/" + file) == read_source("15-coroutines/" + file);
        CAPTURE(file);
        REQUIRE(same);
    }
}

TEST_CASE("without io_uring the server says why, and what to do", "[promise]") {
    require_strace();
    const auto [error, words] = GENERATE(table<std::string, std::string>({
        {"ENOSYS", "Function not implemented: this kernel has no io_uring"},
        {"EPERM", "Operation not permitted: forbidden"},
        {"ENOMEM", "Cannot allocate memory: the limit on locked memory"},
        {"EMFILE", "Too many open files"},
    }));
    const Run run = run_without_io_uring(error);
    REQUIRE_THAT(run.err, StartsWith("error: io_uring_setup: " + words));
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
}

TEST_CASE("on a kernel that does not know the newer flags the server works without them",
          "[promise]") {
    require_strace();
    const std::string which = GENERATE("1", "1..2");
    CAPTURE(which);
    const std::string server = chapter_under_test().server;
    Program strace(
        "strace",
        {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e",
                       "inject=io_uring_setup:error=EINVAL:when=" + which, server, "--port", "0"}});
    Client client(parse_ready_line(strace.read_line()));
    REQUIRE(client.exchange("hello") == "hello");
    client.half_close();
    REQUIRE(client.receive_to_end().empty());
}

TEST_CASE("ring: a thousand operations through room for two", "[promise]") {
    // Every submission after the second needs room that only the kernel can make, and so do most of
    // the completions: the queue of those has room for four.
    IoContext io(2);
    std::vector<std::unique_ptr<Pair>> pairs;
    std::size_t count = 0;
    for (int i = 0; i < 500; ++i) {
        pairs.push_back(std::make_unique<Pair>());
        io.start([](IoContext& context, Fd fd, std::size_t& bytes) -> Task<> {
            const Counted counted;
            Socket socket(context, std::move(fd));
            std::array<char, 16> buffer{};
            const std::size_t received = co_await socket.read(buffer);
            bytes += received;
            bytes += co_await socket.send(std::span(buffer).first(received));
        }(io, std::move(pairs.back()->ours), count));
    }
    for (const auto& pair : pairs) {
        say(pair->theirs, "x");
    }
    io.run();
    REQUIRE(count == 1000);
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("ring: nobody sleeps while somebody has been done and not resumed", "[promise]") {
    // With room for two the first sender's completion is taken while the others begin. It says what
    // the reader waits for, and nothing else will happen.
    IoContext io(2);
    std::vector<std::unique_ptr<Pair>> pairs;
    for (int i = 0; i < 3; ++i) {
        pairs.push_back(std::make_unique<Pair>());
    }
    std::size_t count = 0;
    for (int i = 0; i < 2; ++i) {
        io.start([](IoContext& context, Fd fd, const Fd& wakes) -> Task<> {
            Socket socket(context, std::move(fd));
            co_await socket.send(std::span("x", 1));
            say(wakes, "y");
        }(io, std::move(pairs[static_cast<std::size_t>(i)]->ours), pairs[2]->theirs));
    }
    io.start([](IoContext& context, Fd fd, std::size_t& bytes) -> Task<> {
        Socket socket(context, std::move(fd));
        std::array<char, 1> buffer{};
        while (bytes < 2) {
            bytes += co_await socket.read(buffer);
        }
    }(io, std::move(pairs[2]->ours), count));
    io.run();
    REQUIRE(count == 2);
}

TEST_CASE("ring: the kernel has let go of a buffer before its coroutine is destroyed",
          "[promise]") {
    std::vector<std::unique_ptr<Pair>> pairs;
    {
        IoContext io;
        for (int i = 0; i < 50; ++i) {
            pairs.push_back(std::make_unique<Pair>());
            io.start([](IoContext& context, Fd fd) -> Task<> {
                const Counted counted;
                Socket socket(context, std::move(fd));
                std::array<char, 4096> buffer{};
                co_await socket.read(buffer);
            }(io, std::move(pairs.back()->ours)));
        }
        io.start([](IoContext& context) -> Task<> {
            co_await context.sleep_for(std::chrono::milliseconds{1});
            throw std::runtime_error("enough");
        }(io));
        REQUIRE_THROWS_AS(io.run(), std::runtime_error);
        REQUIRE(Counted::alive == 50);
    }
    REQUIRE(Counted::alive == 0);
}
