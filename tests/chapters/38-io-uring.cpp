// `io-uring`: the kernel does the operation, and says that it is done.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The server's end when this call fails with this error, each time.
Run run_without(const std::string& call, const std::string& error) {
    const std::string server = chapter_under_test().server;
    Program strace("strace",
                   {.arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                  "inject=" + call + ":error=" + error, server, "--port", "0"}});
    Run run;
    run.out = strace.read_to_end();
    run.exit_status = strace.wait_for_exit();
    run.err = strace.diagnostics();
    return run;
}

}  // namespace

TEST_CASE("one header has the loop, the operations and the sockets", "[why]") {
    const auto has = [](const Chapter& chapter, const std::string& name) {
        return std::filesystem::exists(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name /
                                       name);
    };
    REQUIRE_FALSE(has(chapter_before(), "io.hpp"));
    const std::string header = read_source(chapter_under_test(), "io.hpp");
    for (const std::string name : {"IoContext", "Acceptor", "Socket", "Read", "Send"}) {
        CAPTURE(name);
        const bool is_there =
            header.find("\nclass " + name + " ") != std::string::npos ||
            header.find("\nclass [[nodiscard]] " + name + " ") != std::string::npos;
        REQUIRE(is_there);
    }
    REQUIRE_FALSE(has(chapter_under_test(), "runtime"));
}

TEST_CASE("fifty echoes cost a handful of system calls", "[promise]") {
    require_io_uring();
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_before()) == "one for ten echoes or more");
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("the task and the echo are the same to the byte as before", "[promise]") {
    REQUIRE(read_source(chapter_under_test(), "task.hpp") ==
            read_source(chapter_before(), "runtime/task.hpp"));
    const auto echo = [](const Chapter& chapter) {
        const std::string server = read_source(chapter, "server.cpp");
        const std::size_t begin = server.find("\nTask<> echo(const Socket& client) {");
        REQUIRE(begin != std::string::npos);
        return server.substr(begin);
    };
    REQUIRE(echo(chapter_under_test()) == echo(chapter_before()));
}

TEST_CASE("without io_uring the server says why, and what to do", "[promise]") {
    require_strace();
    const auto [call, error, words] = GENERATE(table<std::string, std::string, std::string>({
        {"io_uring_setup", "ENOSYS", "Function not implemented: this kernel has no io_uring"},
        {"io_uring_setup", "EPERM", "Operation not permitted: forbidden"},
        {"io_uring_setup", "ENOMEM", "Cannot allocate memory: the limit on locked memory"},
        {"io_uring_setup", "EMFILE", "Too many open files"},
        {"io_uring_register", "EPERM", "Operation not permitted: forbidden"},
        {"io_uring_register", "EINVAL", "Invalid argument: this kernel's io_uring is older"},
        {"io_uring_enter", "EPERM", "Operation not permitted: forbidden"},
    }));
    if (call != "io_uring_setup") {
        require_io_uring();
    }
    CAPTURE(call, error);
    const Run run = run_without(call, error);
    REQUIRE_THAT(run.err, StartsWith("error: " + call + ": " + words));
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
}

TEST_CASE("on a kernel that does not know the newer flags the server works without them",
          "[promise]") {
    require_io_uring();
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
