// Chapter 25: a task returns what it has found, so that the waiting is in the function that calls
// the kernel.

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/reactor.hpp"
#include "runtime/task.hpp"
#include "runtime/watched_fd.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

namespace {

// ---- What tasks return ----

/// Where a coroutine can be left, and resumed by the test.
struct Stop {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { stopped = frame; }
    void await_resume() const {}

    void go_on() { std::exchange(stopped, nullptr).resume(); }

    std::coroutine_handle<> stopped;
};

Task<int> double_of(int number) {
    co_return 2 * number;
}

/// A type without a default, that cannot be copied.
class Ticket {
public:
    explicit Ticket(int number) : number_(std::make_unique<int>(number)) {}
    int number() const { return *number_; }

private:
    std::unique_ptr<int> number_;
};

Task<Ticket> take_a_ticket(Stop& counter) {
    co_await counter;
    Ticket ticket(7);
    co_return ticket;
}

Task<> visit(Stop& counter, std::string& noted) {
    const int four = co_await double_of(2);
    const int eight = co_await double_of(four);
    noted += std::to_string(four + eight);
    const Ticket ticket = co_await take_a_ticket(counter);
    noted += ", ticket " + std::to_string(ticket.number());
}

Task<int> fail_or_count(bool fails) {
    const Counted local;
    if (fails) {
        throw std::runtime_error("it has failed");
    }
    co_return 1;
}

Task<> try_both(std::string& noted) {
    for (const bool fails : {false, true, false}) {
        try {
            const int count = co_await fail_or_count(fails);
            noted += std::to_string(count) + " ";
        } catch (const std::runtime_error& error) {
            noted += std::string(error.what()) + " ";
        }
    }
}

/// Says when it ends.
struct Local {
    explicit Local(std::string& words) : noted(words) {}
    ~Local() { noted += "the local variable ends; "; }

    std::string& noted;
};

Task<std::string> tell(std::string& noted) {
    const Local local(noted);
    std::string words = "what was returned";
    co_return words;
}

Task<> listen_to(std::string& noted) {
    const std::string heard = co_await tell(noted);
    noted += heard;
}

Task<Counted> make_one() {
    Counted one;
    co_return one;
}

Task<> make_and_stop(Stop& stop) {
    const Counted one = co_await make_one();
    co_await stop;
}

// ---- A line is what a call returns ----

/// The next line without its line feed. Throws when there is no more before the line has ended.
Task<std::string> read_line(const WatchedFd& from) {
    std::string line;
    while (true) {
        char byte = 0;
        const ssize_t count = ::read(from.fd().get(), &byte, 1);
        if (count == 0) {
            throw std::runtime_error("the last line has no end: " + line);
        }
        if (count == -1) {
            co_await from.event();
        } else if (byte == '\n') {
            co_return line;
        } else {
            line += byte;
        }
    }
}

Task<int> read_number(const WatchedFd& from) {
    const std::string line = co_await read_line(from);
    co_return std::stoi(line);
}

Task<> add_up(Reactor& reactor, Fd fd, std::vector<std::string>& answers) {
    const WatchedFd numbers(reactor, std::move(fd));
    try {
        while (true) {
            const int first = co_await read_number(numbers);
            const int second = co_await read_number(numbers);
            answers.push_back(std::to_string(first + second));
        }
    } catch (const std::runtime_error& error) {
        answers.emplace_back(error.what());
    }
}

/// Says it in pieces. Between two of them the others have their turn.
Task<> say_in_pieces(Reactor& reactor, Fd fd, std::vector<std::string> pieces) {
    const WatchedFd to(reactor, std::move(fd));
    for (const std::string& piece : pieces) {
        say(to.fd(), piece);
        for (int i = 0; i < 10; ++i) {
            co_await to.turn();
        }
    }
}

// ---- The server ----

/// Without those that the address sanitizer makes whenever something is thrown.
std::vector<std::string> calls_of_a_session(const Chapter& chapter) {
    std::vector<std::string> calls = system_calls_of_a_session(chapter);
    std::erase_if(calls, [](const std::string& call) { return call.starts_with("sigaltstack("); });
    return calls;
}

/// The folder of a chapter, by its name without the number.
std::string folder_of(const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator(CHAPTERS_FOLDER)) {
        const std::string folder = entry.path().filename();
        if (folder.ends_with("-" + name)) {
            return folder;
        }
    }
    throw std::runtime_error("there is no chapter " + name);
}

/// The loop of echo(), up to where it knows how many bytes there are. The words are left out by
/// which a coroutine differs from a function.
std::string how_echo_receives(const std::string& folder) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / folder / "server.cpp");
    std::string line;
    while (std::getline(file, line) && !line.ends_with(" echo(const Fd& client) {") &&
           !line.ends_with(" echo(const WatchedFd& client) {")) {
    }
    std::string words;
    while (std::getline(file, line) && line.find("send_all(") == std::string::npos &&
           line.find("unsent") == std::string::npos) {
        for (const auto& [of_coroutine, of_function] :
             {std::pair<std::string, std::string>{"co_await ", ""}, {"co_return", "return"}}) {
            if (const std::size_t at = line.find(of_coroutine); at != std::string::npos) {
                line.replace(at, of_coroutine.size(), of_function);
            }
        }
        words += line + "\n";
    }
    REQUIRE_THAT(words, ContainsSubstring("End of file"));
    return words;
}

/// Ten echoes, or fewer when the server ends the connection before.
void have_ten_echoes(Client& client) {
    try {
        for (int i = 0; i < 10; ++i) {
            client.exchange("hello");
        }
    } catch (const std::system_error&) {
        // Its connection was reset.
    }
}

/// Whether ten echoes of a client who has been served before take so many allocations: the last of
/// them is made to fail.
bool take_allocations(const Server& server, int count) {
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const std::size_t said = server.diagnostics().size();
    server.fail_allocation(count);
    have_ten_echoes(client);
    wait_until_at_rest(server);
    server.fail_allocation(0);
    return server.diagnostics().size() > said;
}

/// How many allocations those ten echoes take, up to 63.
int allocations_of_ten_echoes(const Chapter& chapter) {
    const Server server(chapter, {.allocations_can_fail = true});
    int taken = 0;
    for (const int more : {32, 16, 8, 4, 2, 1}) {
        taken += take_allocations(server, taken + more) ? more : 0;
    }
    return taken;
}

/// A client has been served, and memory runs short for a moment while it sends again: "it is
/// served", or what is said of its end.
std::string without_memory_for_a_moment(const Chapter& chapter) {
    const Server server(chapter, {.allocations_can_fail = true});
    Client another(server);
    REQUIRE(another.exchange("hello") == "hello");
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    server.fail_allocation(1);
    client.send("hello");
    wait_until_at_rest(server);
    server.fail_allocation(0);
    REQUIRE(another.exchange("hello") == "hello");
    if (server.count_clients() == 2) {
        REQUIRE(client.receive(5) == "hello");
        return "it is served";
    }
    const std::string words = server.diagnostics();
    return words.substr(words.find("client "));
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before tasks had results",
          "[why]") {
    require_strace();
    REQUIRE(calls_of_a_session(chapter_under_test()) == calls_of_a_session(chapter_before()));
}

// Before, echo() had to know of bytes that have not come yet, and to wait for them.
TEST_CASE("but for the words of a coroutine, echo receives as in a server with one client",
          "[why]") {
    const std::string with_one_client = how_echo_receives(folder_of("robust"));
    REQUIRE(how_echo_receives(chapter_before().name) != with_one_client);
    REQUIRE(how_echo_receives(chapter_under_test().name) == with_one_client);
}

TEST_CASE("task: what it returns is the value of co_await", "[promise]") {
    std::string noted;
    Stop counter;
    Reactor reactor;
    reactor.start(visit(counter, noted));
    REQUIRE(noted == "12");
    counter.go_on();
    REQUIRE(noted == "12, ticket 7");
}

TEST_CASE("task: it returns or throws, and neither is taken for the other", "[promise]") {
    REQUIRE(Counted::alive == 0);
    std::string noted;
    Reactor reactor;
    reactor.start(try_both(noted));
    REQUIRE(noted == "1 it has failed 1 ");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: its result is still there when its local variables have ended", "[promise]") {
    std::string noted;
    Reactor reactor;
    reactor.start(listen_to(noted));
    REQUIRE(noted == "the local variable ends; what was returned");
}

TEST_CASE("task: its result is gone with its frame, but for what has been moved out", "[promise]") {
    REQUIRE(Counted::alive == 0);
    Stop stop;
    Reactor reactor;
    reactor.start(make_and_stop(stop));
    REQUIRE(stop.stopped);
    REQUIRE(Counted::alive == 1);
    stop.go_on();
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("task: a number is what a call returns, in however many pieces it comes", "[promise]") {
    std::vector<std::string> answers;
    Reactor reactor;
    Pair pair;
    reactor.start(add_up(reactor, std::move(pair.ours), answers));
    const std::vector<std::string> pieces{"4", "0\n", "2\n1\n", "1", "00\n7"};
    reactor.start(say_in_pieces(reactor, std::move(pair.theirs), pieces));
    reactor.run();
    REQUIRE(answers == std::vector<std::string>{"42", "101", "the last line has no end: 7"});
}

TEST_CASE(
    "without memory to wait for the next client the server says so, and the client comes in later",
    "[promise]") {
    require_failing_allocations();
    const Server server({.allocations_can_fail = true});
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    std::string words;
    for (int which = 1; words.find("accept, trying again") == std::string::npos; ++which) {
        REQUIRE(which <= 100);
        wait_until_at_rest(server);
        server.fail_allocation(which);
        const Client turned_away(server);
        wait_until_at_rest(server);
        server.fail_allocation(0);
        Client next(server);
        REQUIRE(next.exchange("hello") == "hello");
        words = server.diagnostics();
    }
    REQUIRE_THAT(words, ContainsSubstring("accept, trying again: Cannot allocate memory\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
}

TEST_CASE("ten echoes take memory twenty times, and before they took none", "[limit]") {
    require_failing_allocations();
    REQUIRE(allocations_of_ten_echoes(chapter_before()) == 0);
    REQUIRE(allocations_of_ten_echoes(chapter_under_test()) == 20);  // receive() and send_some()
}

TEST_CASE(
    "a client that is served can be ended by one allocation that fails, and before it was not",
    "[limit]") {
    require_failing_allocations();
    REQUIRE(without_memory_for_a_moment(chapter_before()) == "it is served");
    REQUIRE_THAT(without_memory_for_a_moment(chapter_under_test()),
                 Matches("client 127\\.0\\.0\\.1:[0-9]+: std::bad_alloc\n"));
}

TEST_CASE("clients that come in one go are taken in four at a time", "[promise]") {
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait,accept4");
    server.stop_all();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server);
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.exchange("hello") == "hello");
    }
    std::vector<int> taken = {0};  // In each round.
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("epoll_")) {
            taken.push_back(0);
        } else if (call.find(" = -1 ") == std::string::npos) {
            ++taken.back();
        }
    }
    REQUIRE(*std::max_element(taken.begin(), taken.end()) == 4);
}

TEST_CASE("a client whom epoll cannot take ends alone", "[promise]") {
    require_strace();
    const Server server;
    Client stays(server);
    REQUIRE(stays.exchange("hello") == "hello");
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE_THAT(server.diagnostics(),
                 Catch::Matchers::Matches(
                     "client 127\\.0\\.0\\.1:[0-9]+: epoll_ctl: No space left on device\n"));
    REQUIRE(stays.exchange("still there?") == "still there?");
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}
