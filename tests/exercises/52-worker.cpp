// The exercises of chapter 52: what must hold when they are done.

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "chapters/scenarios.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

namespace {

std::string name_of_thread(const std::filesystem::path& task) {
    std::ifstream file(task / "comm");
    std::string name;
    std::getline(file, name);
    return name;
}

/// The names of the server's threads: of the first one, and of those others that are the server's.
std::vector<std::string> thread_names(const Server& server) {
    const std::filesystem::path tasks = "/proc/" + std::to_string(server.pid()) + "/task";
    std::vector<std::string> names{name_of_thread(tasks / std::to_string(server.pid()))};
    for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
        const std::string name = name_of_thread(entry.path());
        if (entry.path().filename() != std::to_string(server.pid()) && !name.starts_with("iou-")) {
            names.push_back(name);
        }
    }
    return names;
}

}  // namespace

TEST_CASE("with --name-threads the thread that serves is called worker", "[.exercise]") {
    require_io_uring();
    const Server server({.arguments = {"--port", "0", "--name-threads", "1"}});
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const std::vector<std::string> names = thread_names(server);
    REQUIRE(names.size() == 2);
    REQUIRE(names[0] != "worker");
    REQUIRE(names[1] == "worker");
}
