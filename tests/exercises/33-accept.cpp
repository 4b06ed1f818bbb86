// The exercises of chapter 33: what must hold when they are done.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <filesystem>
#include <string>

#include "check.hpp"
#include "fd.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"

using Catch::Matchers::Matches;

namespace {

/// A named pipe, full to the last byte, in a folder of its own.
class FullPipe {
public:
    FullPipe() {
        std::string name = (std::filesystem::temp_directory_path() / "guests-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder_ = name;
        check(::mkfifo(path().c_str(), 0600), "mkfifo");
        pipe_ = Fd{check(::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC), "open")};
        const std::string page(4096, '#');
        while (::write(pipe_.get(), page.data(), page.size()) > 0) {
        }
    }
    FullPipe(const FullPipe&) = delete;
    FullPipe& operator=(const FullPipe&) = delete;
    ~FullPipe() { std::filesystem::remove_all(folder_); }

    std::string path() const { return (folder_ / "guests").string(); }

    /// Takes what is there, without what had filled it.
    std::string take() const {
        std::string text;
        std::array<char, 4096> page{};
        ssize_t count = 0;
        while ((count = ::read(pipe_.get(), page.data(), page.size())) > 0) {
            text.append(page.data(), static_cast<std::size_t>(count));
        }
        return text.substr(std::min(text.find_last_of('#') + 1, text.size()));
    }

private:
    std::filesystem::path folder_;
    Fd pipe_;
};

}  // namespace

TEST_CASE("with --guests each client is written down by the kernel, and waits for it alone",
          "[.exercise]") {
    const FullPipe pipe;
    const Server server({.arguments = {"--port", "0", "--guests", pipe.path()}});
    Client first(server);
    first.send("hello");
    Client second(server);
    second.send("hello");
    wait_until_at_rest(server);
    REQUIRE(server.count_clients() == 2);  // Both are there, and nobody has been served.
    REQUIRE_FALSE(first.has_input());

    std::string guests = pipe.take();
    REQUIRE(first.receive(5) == "hello");
    REQUIRE(second.receive(5) == "hello");
    guests += pipe.take();
    REQUIRE_THAT(guests, Matches("(127\\.0\\.0\\.1:[0-9]+\n){2}"));
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
    REQUIRE(first.exchange("still there?") == "still there?");

    const Run run = run_to_end({.arguments = {"--port", "0", "--guests", pipe.path() + "/none"}});
    REQUIRE(run.exit_status == "exit 1");
    REQUIRE(run.out.empty());
    REQUIRE(run.err == "error: open " + pipe.path() + "/none: Not a directory\n");
}
