// `drain`: the same server, with its engine in one header.

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "chapters/scenarios.hpp"
#include "support/strace.hpp"

namespace {

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("one header has the loop, the operations, the sockets and the groups", "[why]") {
    const auto has = [](const Chapter& chapter, const std::string& name) {
        return std::filesystem::exists(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name /
                                       name);
    };
    REQUIRE_FALSE(has(chapter_before(), "io.hpp"));
    const std::string header = read_source(chapter_under_test(), "io.hpp");
    for (const std::string name : {"IoContext", "TaskGroup", "Acceptor", "Socket", "Send"}) {
        CAPTURE(name);
        const bool is_there =
            header.find("\nclass " + name + " ") != std::string::npos ||
            header.find("\nclass [[nodiscard]] " + name + " ") != std::string::npos;
        REQUIRE(is_there);
    }
    REQUIRE_FALSE(has(chapter_under_test(), "runtime"));
}

TEST_CASE("stopping the server loses no byte that it had received, as before", "[promise]") {
    require_io_uring();
    REQUIRE(stopped_with_bytes_unread(chapter_before()) == "every byte came back, exit 0");
    REQUIRE(stopped_with_bytes_unread(chapter_under_test()) == "every byte came back, exit 0");
}

TEST_CASE("fifty echoes cost a handful of system calls, as before", "[promise]") {
    require_io_uring();
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_before()) == "one for ten echoes or more");
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "one for ten echoes or more");
}

TEST_CASE("the task is the same to the byte as before", "[promise]") {
    REQUIRE(read_source(chapter_under_test(), "task.hpp") ==
            read_source(chapter_before(), "runtime/task.hpp"));
}
