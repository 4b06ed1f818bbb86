// Chapter 34: the kernel reads, too, and what was known of a descriptor has lost its use.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
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
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/chapter.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

using namespace std::chrono_literals;

namespace {

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Without its first line, which names the chapter.
std::string behind_the_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

std::size_t count_calls(const std::vector<std::string>& calls, const std::string& name) {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(),
                      [&name](const std::string& call) { return call.starts_with(name + "("); }));
}

/// How many entries the kernel has taken with these calls: it returns their number.
std::size_t entries_handed_over(const std::vector<std::string>& calls) {
    std::size_t entries = 0;
    for (const std::string& call : calls) {
        if (call.starts_with("io_uring_enter(")) {
            entries += std::stoul(call.substr(call.rfind(" = ") + 3));
        }
    }
    return entries;
}

/// What the server calls when fifty clients send at the same moment, ten times.
std::vector<std::string> calls_for_echoes_of_fifty(const Chapter& chapter) {
    const Server server(chapter);
    std::vector<Client> clients = connect_clients(server, 50);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "all");
    for (int i = 0; i < 10; ++i) {
        server.stop_all();  // So that all of them are there when it looks.
        for (Client& client : clients) {
            client.send("hello");
        }
        server.continue_all();
        for (Client& client : clients) {
            REQUIRE(client.receive(5) == "hello");
        }
    }
    wait_until_at_rest(server);
    return trace.lines();
}

/// What the server calls for ten echoes of a client that has sent an urgent byte before.
std::vector<std::string> calls_after_an_urgent_byte(const Chapter& chapter) {
    const Server server(chapter);
    Client client(server);
    client.send_urgent('!');
    REQUIRE(client.receive(1) == "!");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "read,io_uring_enter");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    return trace.lines();
}

/// "blocks", or "does not block": what a call on the server's descriptor for a client would do.
std::string descriptor_of_a_client(const Chapter& chapter) {
    const Server server(chapter);
    const std::vector<Client> clients = connect_clients(server, 1);
    std::ifstream info("/proc/" + std::to_string(server.pid()) + "/fdinfo/" +
                       std::to_string(newest_descriptor(server)));
    for (std::string word; info >> word;) {
        if (word == "flags:" && info >> word) {
            return (std::stoi(word, nullptr, 8) & O_NONBLOCK) != 0 ? "does not block" : "blocks";
        }
    }
    return "not to be found";
}

/// What a coroutine throws to end run() with the others still suspended.
struct Enough {};

Task<> end_after(Reactor& reactor, std::chrono::milliseconds time) {
    co_await reactor.sleep_for(time);
    throw Enough();
}

/// Runs the loop for a millisecond: it hands over what is in line, and hears what is completed.
void run_for_a_moment(Reactor& reactor) {
    reactor.start(end_after(reactor, 1ms));
    REQUIRE_THROWS_AS(reactor.run(), Enough);
}

/// Notes the result of each read, up to the end of the input or an error.
Task<> note_reads(Reactor& reactor, Fd fd, std::size_t buffer_size, std::string& noted) {
    const Counted local;
    const Socket socket(reactor, std::move(fd));
    std::vector<char> buffer(buffer_size);
    try {
        while (true) {
            const std::size_t count = co_await socket.read(buffer);
            noted += std::to_string(count) + " ";
            if (count == 0) {
                co_return;
            }
        }
    } catch (const std::system_error& error) {
        noted += error.what();
    }
}

/// Reads a byte at a time, and notes its name for each.
Task<> note_bytes(Reactor& reactor, Fd fd, char name, std::string& noted) {
    const Socket socket(reactor, std::move(fd));
    std::array<char, 1> byte{};
    while (co_await socket.read(byte) != 0) {
        noted += name;
    }
}

/// Reads a byte, and sends itself the next one: each read can be done at once.
Task<> read_very_often(Reactor& reactor, Pair pair, int times, int& count) {
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 1> byte{};
    while (count < times) {
        say(pair.theirs, "x");
        co_await socket.read(byte);
        ++count;
    }
}

Task<> read_into(const Socket& socket, std::span<char> buffer, std::size_t& count) {
    const Counted local;
    count = co_await socket.read(buffer);
}

/// In its own turn it destroys another coroutine.
Task<> destroy_another(const Socket& socket, std::optional<Task<>>& another, int& resumed) {
    const Counted local;
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    ++resumed;
    another.reset();
}

/// Begins a task whose frame stays the test's.
void begin(const Task<>& task) {
    task.operator co_await().await_suspend(std::noop_coroutine()).resume();
}

}  // namespace

TEST_CASE("before, fifty clients at once cost fifty reads, and now one call for all of them",
          "[why]") {
    require_io_uring();
    require_strace();
    const std::vector<std::string> before = calls_for_echoes_of_fifty(chapter_before());
    REQUIRE(count_calls(before, "read") == 500);
    const std::vector<std::string> now = calls_for_echoes_of_fifty(chapter_under_test());
    CAPTURE(now.size());
    REQUIRE(count_calls(now, "read") == 0);
    REQUIRE(now.size() <= 50);  // At most one for ten echoes, whatever they are.
}

TEST_CASE("before, a client that had sent an urgent byte cost reads in vain, and now it costs none",
          "[why]") {
    require_io_uring();
    require_strace();
    REQUIRE(count_calls(calls_after_an_urgent_byte(chapter_before()), "read") == 20);
    const std::vector<std::string> now = calls_after_an_urgent_byte(chapter_under_test());
    REQUIRE(count_calls(now, "read") == 0);
    REQUIRE(entries_handed_over(now) == 20);  // For each echo one that sends, and one that reads.
}

TEST_CASE("before, a client's descriptor had to be one that does not block, and now it blocks",
          "[why]") {
    require_io_uring();
    REQUIRE(descriptor_of_a_client(chapter_before()) == "does not block");
    REQUIRE(descriptor_of_a_client(chapter_under_test()) == "blocks");
}

TEST_CASE("the server, the task and the loop are the same to the byte as in the chapter before",
          "[promise]") {
    for (const char* name :
         {"server.cpp", "runtime/task.hpp", "runtime/reactor.hpp", "runtime/ring.hpp"}) {
        CAPTURE(name);
        REQUIRE(behind_the_first_line(read_source(chapter_under_test(), name)) ==
                behind_the_first_line(read_source(chapter_before(), name)));
    }
}

TEST_CASE("what the turns have put in line is handed over before the thread sleeps", "[promise]") {
    require_io_uring();
    require_strace();
    const Server server;
    const std::vector<Client> silent = connect_clients(server, 1);
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "?epoll_wait,epoll_pwait");
    Client client(server);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(client.exchange("hello") == "hello");
        wait_until_at_rest(server);
    }
    for (const std::string& call : trace.lines()) {
        CAPTURE(call);  // Where something is left in line, the thread sleeps for a millisecond.
        REQUIRE((call.find(", 64, -1") != std::string::npos || call.ends_with(" = -1 EINTR") ||
                 call.find(" = ") == std::string::npos));
    }
}

TEST_CASE("bytes behind an urgent one are seen, although the read before them was cut short",
          "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("abc");
    client.send_urgent('!');
    client.send("def");
    server.continue_all();
    REQUIRE(client.receive(7) == "abc!def");
    REQUIRE(client.exchange("still there?") == "still there?");
}

TEST_CASE("an end of input that has come with the last bytes is seen", "[promise]") {
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    server.stop_all();
    client.send("goodbye");
    client.half_close();
    server.continue_all();
    REQUIRE(client.receive_to_end() == "goodbye");
}

TEST_CASE("clients that are silent at the same time have each their own bytes back", "[promise]") {
    const Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    wait_until_at_rest(server);  // The kernel has ten buffers, one for each.
    server.stop_all();
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].send(std::string(5, static_cast<char>('a' + i)));
    }
    server.continue_all();
    for (std::size_t i = 0; i < clients.size(); ++i) {
        REQUIRE(clients[i].receive(5) == std::string(5, static_cast<char>('a' + i)));
    }
}

TEST_CASE("what has come is read with one entry, as far as the buffer goes", "[promise]") {
    require_io_uring();
    require_strace();
    const Server server;
    Client client(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const SystemCallTrace trace(server, "io_uring_enter");
    server.stop_all();
    const std::string bytes = random_bytes(5000);
    client.send(bytes);
    wait_until("the server's kernel has all", [&] { return client.unacknowledged() == 0; });
    server.continue_all();
    REQUIRE(client.receive(bytes.size()) == bytes);
    wait_until_at_rest(server);
    REQUIRE(entries_handed_over(trace.lines()) == 2);  // The send, and the next read.
}

TEST_CASE("read: it waits in the kernel until something comes", "[promise]") {
    require_io_uring();
    Pair pair;
    std::string noted;
    Reactor reactor;
    reactor.start(note_reads(reactor, std::move(pair.ours), 16, noted));
    run_for_a_moment(reactor);
    REQUIRE(noted.empty());
    for (const char* words : {"hello", "you"}) {
        say(pair.theirs, words);
        run_for_a_moment(reactor);
    }
    REQUIRE(noted == "5 3 ");
    pair.theirs.close();
    reactor.run();
    REQUIRE(noted == "5 3 0 ");
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("read: a whole buffer at once, and the rest with the next one", "[promise]") {
    require_io_uring();
    Pair pair;
    say(pair.theirs, std::string(10'000, 'x'));
    check(::shutdown(pair.theirs.get(), SHUT_WR), "shutdown");
    std::string noted;
    Reactor reactor;
    reactor.start(note_reads(reactor, std::move(pair.ours), 4096, noted));
    reactor.run();
    REQUIRE(noted == "4096 4096 1808 0 ");
}

TEST_CASE("read: an error is an exception that names the call", "[promise]") {
    require_io_uring();
    Pair pair;
    say(pair.ours, "nobody reads this");
    pair.theirs.close();  // With bytes in it, so that this is a reset.
    std::string noted;
    Reactor reactor;
    reactor.start(note_reads(reactor, std::move(pair.ours), 16, noted));
    errno = 0;
    reactor.run();
    REQUIRE(noted == "read: Connection reset by peer");
}

TEST_CASE("read: of coroutines that always have bytes each has one turn after the other",
          "[promise]") {
    require_io_uring();
    std::array<Pair, 3> pairs;
    std::string noted;
    Reactor reactor;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        say(pairs[i].theirs, std::string(4, 'x'));
        check(::shutdown(pairs[i].theirs.get(), SHUT_WR), "shutdown");
        reactor.start(
            note_bytes(reactor, std::move(pairs[i].ours), static_cast<char>('a' + i), noted));
    }
    reactor.run();
    REQUIRE(noted == "abcabcabcabc");
}

TEST_CASE("read: a hundred thousand that are done at once do not grow the stack", "[promise]") {
    require_io_uring();
    int count = 0;
    Reactor reactor;
    reactor.start(read_very_often(reactor, Pair(), 100'000, count));
    reactor.run();
    REQUIRE(count == 100'000);
}

TEST_CASE("read: the kernel writes into no buffer whose coroutine has been destroyed",
          "[promise]") {
    require_io_uring();
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    std::array<char, 16> buffer{};  // Outlives the coroutine, so that it can be looked at.
    std::size_t count = 0;
    {
        const Task<> task = read_into(socket, buffer, count);
        begin(task);
        run_for_a_moment(reactor);  // The buffer is the kernel's now.
    }
    {
        const Task<> task = read_into(socket, buffer, count);
        begin(task);  // And this one stands in line, and has not been handed over.
    }
    REQUIRE(Counted::alive == 0);
    say(pair.theirs, "hello");
    run_for_a_moment(reactor);
    REQUIRE(buffer == std::array<char, 16>{});
    reactor.start(read_into(socket, buffer, count));
    reactor.run();
    REQUIRE(count == 5);  // Nothing has been lost.
}

TEST_CASE(
    "read: a coroutine that another one destroys is not resumed, although its bytes are there",
    "[promise]") {
    require_io_uring();
    std::array<Pair, 2> pairs;
    Reactor reactor;
    const Socket first_socket(reactor, std::move(pairs[0].ours));
    const Socket second_socket(reactor, std::move(pairs[1].ours));
    int resumed = 0;
    std::optional<Task<>> first;
    std::optional<Task<>> second;
    first.emplace(destroy_another(first_socket, second, resumed));
    second.emplace(destroy_another(second_socket, first, resumed));
    begin(*first);
    begin(*second);
    say(pairs[0].theirs, "x");
    say(pairs[1].theirs, "x");
    run_for_a_moment(reactor);
    REQUIRE(resumed == 1);
    first.reset();
    second.reset();
    REQUIRE(Counted::alive == 0);
}

TEST_CASE("a client that is alone costs a system call more for each echo than before", "[limit]") {
    require_io_uring();
    require_strace();
    const std::size_t before = system_calls_of_ten_echoes(chapter_before());
    const std::size_t now = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(before, now);
    // One call of each ten may fall into the time in which strace comes or goes.
    REQUIRE((before == 30 || before == 29));  // epoll_wait, read, io_uring_enter
    REQUIRE((now == 40 || now == 39));        // epoll_wait, io_uring_enter, and both once more
}

TEST_CASE("epoll is told of each client, and tells of it, and nobody waits for that", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    const SystemCallTrace trace(server, "epoll_ctl,?epoll_wait,epoll_pwait");
    Client client(server);
    wait_until("epoll knows of it", [&] { return trace.count("epoll_ctl") == 1; });
    wait_until_at_rest(server);
    REQUIRE(client.exchange("hello") == "hello");
    wait_until_at_rest(server);
    const std::vector<std::string> calls = trace.lines();
    const std::string fd = "data={u32=" + std::to_string(newest_descriptor(server)) + ",";
    const auto of_the_client = [&fd](const std::string& call) {
        return call.find(fd) != std::string::npos;
    };
    REQUIRE(std::count_if(calls.begin(), calls.end(), of_the_client) == 3);  // Room, then bytes.
}

TEST_CASE("a client whom epoll cannot take is turned away, although it needs no epoll", "[limit]") {
    require_io_uring();
    require_strace();
    const Server server;
    const FaultInjection no_room(server, "epoll_ctl:error=ENOSPC:when=1");
    Client turned_away(server);
    REQUIRE(turned_away.receive_to_end().empty());
    wait_until("the server has said so", [&] { return !server.diagnostics().empty(); });
    REQUIRE(server.diagnostics().ends_with(": epoll_ctl: No space left on device\n"));
    Client next(server);
    REQUIRE(next.exchange("hello") == "hello");
}
