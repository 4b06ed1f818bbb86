// What a server writes to stderr never holds it up: where it is not read, lines are dropped and
// counted.

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <string>

#include "check.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/server.hpp"

namespace {

/// Makes the server report a client.
void be_reported(const Server& server) {
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    client.reset();
}

/// How many lines are complete, and how many more were dropped by their own account.
std::size_t count_with_dropped(const std::string& text) {
    const std::string said = "lines dropped, since stderr had no room: ";
    std::size_t lines = count_lines(text);
    for (std::size_t at = text.find(said); at != std::string::npos; at = text.find(said, at + 1)) {
        lines += std::stoul(text.substr(at + said.size())) - 1;  // Less the line that says it.
    }
    return lines;
}

}  // namespace

TEST_CASE("a stderr that is not read holds nothing up, and what was dropped is counted",
          "[contract][from-robust][own-echo]") {
    require_io_uring();
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), "pipe2");
    const Fd reading_end{ends[0]};
    Fd writing_end{ends[1]};
    check(::fcntl(writing_end.get(), F_SETPIPE_SZ, 4096), "fcntl F_SETPIPE_SZ");
    check(::fcntl(writing_end.get(), F_SETFL, 0), "fcntl F_SETFL");
    const Server server({.stderr_descriptor = writing_end.get()});
    writing_end.close();

    std::size_t reported = 0;
    for (; reported < 150; ++reported) {
        be_reported(server);
    }
    // All of them are still there, and the next one is, too.
    std::string text;
    wait_until("every client is spoken of or counted", [&] {
        be_reported(server);
        ++reported;
        Client client(server);
        REQUIRE(client.exchange("still there?") == "still there?");
        std::array<char, 65536> part;
        ssize_t count = 0;
        while ((count = ::read(reading_end.get(), part.data(), part.size())) > 0) {
            text.append(part.data(), static_cast<std::size_t>(count));
        }
        return text.find("dropped") != std::string::npos && count_with_dropped(text) == reported;
    });
}

TEST_CASE("a terminal that has been stopped with Ctrl-S holds nothing up",
          "[contract][from-robust][own-echo]") {
    require_io_uring();
    const Fd terminal{check(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), "posix_openpt")};
    check(::grantpt(terminal.get()), "grantpt");
    check(::unlockpt(terminal.get()), "unlockpt");
    const Fd line{check(::open(::ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC), "open")};
    check(::tcflow(line.get(), TCOOFF), "tcflow");
    const Server server({.stderr_descriptor = line.get()});
    for (int i = 0; i < 5; ++i) {
        be_reported(server);
    }
    Client client(server);
    REQUIRE(client.exchange("still there?") == "still there?");
}
