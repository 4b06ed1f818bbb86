// Chapter 30: the line is one of waiters, and not of descriptors.

#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "runtime/counted.hpp"
#include "runtime/pair.hpp"
#include "runtime/queue.hpp"
#include "runtime/reactor.hpp"
#include "runtime/socket.hpp"
#include "runtime/task.hpp"
#include "support/client.hpp"
#include "support/deadline.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
#include "support/strace.hpp"

namespace {

std::atomic<int> allocations = 0;

}  // namespace

// Not inlined: g++ would take free() for a mistake where it sees both.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace {

/// Something that happens in the program: `co_await bell.rings()` goes on when it has been rung.
class Bell {
public:
    class Rings;

    explicit Bell(Reactor& reactor) : reactor_(reactor) {}

    Rings rings();

    /// Has all who wait for it go on.
    void ring() noexcept {
        while (!waiting_.empty()) {
            reactor_.give_turn(waiting_.pop());
        }
    }

    bool is_awaited() const noexcept { return !waiting_.empty(); }

private:
    Reactor& reactor_;
    Queue<Waiter> waiting_;
};

class Bell::Rings : public Waiter {
public:
    explicit Rings(Queue<Waiter>& waiting) : waiting_(waiting) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        waiting_.push(*this);
    }

    void await_resume() const noexcept {}

private:
    Queue<Waiter>& waiting_;
};

inline Bell::Rings Bell::rings() {
    return Rings(waiting_);
}

/// `co_await Turn(reactor)`: a turn later, after the others.
class Turn : public Waiter {
public:
    explicit Turn(Reactor& reactor) : reactor_(reactor) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        reactor_.give_turn(*this);
    }

    void await_resume() const noexcept {}

private:
    Reactor& reactor_;
};

/// What ends run() with others still suspended.
struct Done {};

bool has_given_up = false;

/// A test that is going to fail does not wait for ever.
Task<> give_up_in_time(Reactor& reactor) {
    co_await reactor.sleep_for(patience());
    has_given_up = true;
    throw Done();
}

Task<> end_after(Task<> task) {
    co_await task;
    throw Done();
}

/// Runs until this task has ended, whatever the others wait for.
void run_until_end_of(Reactor& reactor, Task<> task) {
    has_given_up = false;
    reactor.start(give_up_in_time(reactor));
    reactor.start(end_after(std::move(task)));
    REQUIRE_THROWS_AS(reactor.run(), Done);
    REQUIRE_FALSE(has_given_up);
}

Task<> note_when_rung(Bell& bell, char name, std::string& noted) {
    const Counted local;
    co_await bell.rings();
    noted += name;
}

Task<> ring_after_a_turn(Reactor& reactor, Bell& bell, std::string& noted) {
    co_await Turn(reactor);
    noted += "ring ";
    bell.ring();
    noted += "rung ";
}

Task<> note_turns(Reactor& reactor, char name, int turns, std::string& noted) {
    for (int i = 0; i < turns; ++i) {
        noted += name;
        co_await Turn(reactor);
    }
}

Task<> count_allocations_of_a_ring(Reactor& reactor, Bell& bell, int& count) {
    co_await Turn(reactor);  // The other one waits from here on.
    const int before = allocations;
    bell.ring();
    co_await Turn(reactor);
    co_await Turn(reactor);
    count = allocations - before;
}

/// Something comes for the other one after a while, and only the kernel knows of it.
Task<> take_turns_until_told(Reactor& reactor, const Fd& theirs, const bool& is_told, int& turns) {
    while (!is_told && turns < 100'000) {
        if (++turns == 10) {
            say(theirs, "x");
        }
        co_await Turn(reactor);
    }
}

Task<> tell_after_a_byte(const Socket& socket, bool& is_told) {
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    is_told = true;
}

/// Reads one byte, and notes its own name and the byte.
Task<> read_one(const Socket& socket, char name, std::string& noted) {
    const Counted local;
    std::array<char, 1> byte{};
    co_await socket.read(byte);
    noted += name;
    noted += byte[0];
}

Task<> take_turns(Reactor& reactor, int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await Turn(reactor);
    }
}

/// Two bytes, one after another, for those who wait at the other end.
Task<> say_two(Reactor& reactor, const Fd& fd) {
    say(fd, "1");
    co_await take_turns(reactor, 5);
    say(fd, "2");
    co_await take_turns(reactor, 5);
}

/// Fills the way to the other end, so that whoever sends has to wait. Returns how many bytes.
std::size_t fill(const Fd& fd) {
    const std::string many(100'000, '.');
    std::size_t bytes = 0;
    while (true) {
        const ssize_t sent = ::send(fd.get(), many.data(), many.size(), MSG_DONTWAIT);
        if (sent == -1) {
            return bytes;
        }
        bytes += static_cast<std::size_t>(sent);
    }
}

Task<> send_one(const Socket& socket, std::string& noted) {
    const std::array<char, 1> byte{'!'};
    co_await socket.send(byte);
    noted += "sent ";
}

Task<> note_a_reply(const Socket& socket, std::string& noted) {
    std::array<char, 8> buffer{};
    const std::size_t count = co_await socket.read(buffer);
    noted += "received " + std::string(buffer.data(), count) + ' ';
}

Task<> count_allocations_of_waits(Reactor& reactor, const Socket& socket, const Fd& theirs,
                                  int& count) {
    std::array<char, 1> byte{};
    co_await take_turns(reactor, 2);
    const int before = allocations;
    for (int i = 0; i < 10; ++i) {
        say(theirs, "x");
        co_await socket.read(byte);
        co_await Turn(reactor);
    }
    count = allocations - before;
}

/// A task that has been begun, and is suspended where it waits: the test may destroy it there.
class Begun {
public:
    explicit Begun(Task<> task) : task_(std::move(task)) {
        task_.operator co_await().await_suspend(std::noop_coroutine()).resume();
    }

private:
    Task<> task_;
};

/// Nothing else than what the queue demands.
struct Item : Linked {
    explicit Item(int its_number) : number(its_number) {}

    const int number;
};

std::string numbers_of(Queue<Item>& queue) {
    std::string numbers;
    while (!queue.empty()) {
        numbers += std::to_string(queue.pop().number);
    }
    return numbers;
}

/// How often the server asks for memory for each of eight clients, who come one after another.
std::vector<int> allocations_for_each_client(const Chapter& chapter) {
    constexpr int plenty = 1000;
    const Server server(chapter, {.allocations_can_fail = true});
    std::vector<Client> clients;
    std::vector<int> counts;
    for (int i = 0; i < 8; ++i) {
        server.fail_allocation(plenty);
        clients.emplace_back(server);
        REQUIRE(clients.back().exchange("hello") == "hello");
        wait_until_at_rest(server);
        counts.push_back(plenty - server.allocations_left());
    }
    return counts;
}

std::string read_source(const Chapter& chapter, const std::string& name) {
    std::ifstream file(std::filesystem::path(CHAPTERS_FOLDER) / chapter.name / name);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string without_first_line(const std::string& text) {
    return text.substr(text.find('\n'));
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as with a line of descriptors",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// The third client gets descriptor 7. Before, the two lists of the line had room for seven numbers,
// up to 6, and grew then.
TEST_CASE("a place in the line costs no client memory, and cost the third one two allocations",
          "[why]") {
    require_failing_allocations();
    const std::vector<int> before = allocations_for_each_client(chapter_before());
    const std::vector<int> now = allocations_for_each_client(chapter_under_test());
    CAPTURE(before, now);
    for (std::size_t i = 0; i < now.size(); ++i) {
        REQUIRE(now[i] == now[0]);
        REQUIRE(before[i] == now[i] + (i == 2 ? 2 : 0));
    }
}

TEST_CASE("a coroutine wakes others without a descriptor, a system call, or memory", "[why]") {
    std::string noted;
    Reactor reactor;
    Bell bell(reactor);
    reactor.start(note_when_rung(bell, 'a', noted));
    reactor.start(note_when_rung(bell, 'b', noted));
    reactor.start(ring_after_a_turn(reactor, bell, noted));
    reactor.run();
    REQUIRE(noted == "ring rung ab");  // Each in a turn of its own, and not within ring().

    int count = -1;
    reactor.start(note_when_rung(bell, 'c', noted));
    reactor.start(count_allocations_of_a_ring(reactor, bell, count));
    reactor.run();
    REQUIRE(noted == "ring rung abc");
    REQUIRE(count == 0);
}

TEST_CASE("two coroutines wait for one descriptor, and the first to wait is the first to go on",
          "[why]") {
    std::string noted;
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(read_one(socket, 'a', noted));
    reactor.start(read_one(socket, 'b', noted));
    run_until_end_of(reactor, say_two(reactor, pair.theirs));
    REQUIRE(noted == "a1b2");
}

TEST_CASE("a coroutine sends on a socket while another one waits for input there", "[promise]") {
    std::string noted;
    Reactor reactor;
    Pair pair;
    std::size_t unread = fill(pair.ours);
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(note_a_reply(socket, noted));
    reactor.start(send_one(socket, noted));
    run_until_end_of(reactor, [](Reactor& loop, const Fd& theirs, std::size_t& bytes) -> Task<> {
        co_await take_turns(loop, 3);
        std::array<char, 4096> buffer;
        while (bytes > 0) {
            bytes -= static_cast<std::size_t>(check(
                ::recv(theirs.get(), buffer.data(), std::min(bytes, buffer.size()), 0), "recv"));
        }
        co_await take_turns(loop, 5);
    }(reactor, pair.theirs, unread));
    REQUIRE(noted == "sent ");  // There is room now, and the event of that says nothing of input.
    run_until_end_of(reactor, [](Reactor& loop, const Fd& theirs) -> Task<> {
        say(theirs, "hello");
        co_await take_turns(loop, 5);
    }(reactor, pair.theirs));
    REQUIRE(noted == "sent received hello ");
}

TEST_CASE(
    "all who wait for a descriptor have a turn at its event, and those wait on who find "
    "nothing",
    "[limit]") {
    std::string noted;
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    for (const char name : {'a', 'b', 'c'}) {
        reactor.start(read_one(socket, name, noted));
    }
    run_until_end_of(reactor, [](Reactor& loop, const Fd& theirs) -> Task<> {
        say(theirs, "1");
        co_await take_turns(loop, 5);
    }(reactor, pair.theirs));
    REQUIRE(noted == "a1");
    run_until_end_of(reactor, [](Reactor& loop, const Fd& theirs) -> Task<> {
        say(theirs, "23");
        co_await take_turns(loop, 5);
    }(reactor, pair.theirs));
    REQUIRE(noted == "a1b2c3");
}

TEST_CASE("give_turn: turns come in the order in which they were given", "[promise]") {
    std::string noted;
    Reactor reactor;
    reactor.start(note_turns(reactor, 'a', 3, noted));
    reactor.start(note_turns(reactor, 'b', 2, noted));
    reactor.start(note_turns(reactor, 'c', 3, noted));
    reactor.run();
    REQUIRE(noted == "abcabcac");
}

TEST_CASE("give_turn: who is given one again and again keeps no descriptor waiting", "[promise]") {
    bool is_told = false;
    int turns = 0;
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(take_turns_until_told(reactor, pair.theirs, is_told, turns));
    reactor.start(tell_after_a_byte(socket, is_told));
    reactor.run();
    REQUIRE(turns <= 13);
}

TEST_CASE("a frame that is destroyed leaves its line, whichever that is", "[promise]") {
    std::string noted;
    Reactor reactor;
    Bell bell(reactor);
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    {
        const Begun rung(note_when_rung(bell, 'a', noted));
        const Begun reads(read_one(socket, 'b', noted));
        const Begun has_a_turn(note_turns(reactor, 'c', 2, noted));
        REQUIRE(bell.is_awaited());
        REQUIRE_FALSE(socket.state().waiting.empty());
    }
    REQUIRE(Counted::alive == 0);
    REQUIRE_FALSE(bell.is_awaited());
    REQUIRE(socket.state().waiting.empty());
    say(pair.theirs, "x");
    bell.ring();
    reactor.start(take_turns(reactor, 3));
    reactor.run();
    REQUIRE(noted == "c");  // What it noted before it waited.
}

TEST_CASE("a frame that is destroyed between two others leaves them in their order", "[promise]") {
    std::string noted;
    Reactor reactor;
    Bell bell(reactor);
    const Begun first(note_when_rung(bell, 'a', noted));
    auto second = std::make_unique<Begun>(note_when_rung(bell, 'b', noted));
    const Begun third(note_when_rung(bell, 'c', noted));
    second.reset();
    reactor.start(ring_after_a_turn(reactor, bell, noted));
    reactor.start(take_turns(reactor, 3));
    reactor.run();
    REQUIRE(noted == "ring rung ac");
}

TEST_CASE("a coroutine that another one destroys in the same round is not resumed", "[promise]") {
    std::string noted;
    Reactor reactor;
    std::optional<Begun> victim;
    reactor.start([](Reactor& loop, std::optional<Begun>& other) -> Task<> {
        co_await Turn(loop);
        other.reset();
    }(reactor, victim));
    victim.emplace(note_turns(reactor, 'v', 2, noted));  // Its turn is in the same round, behind.
    reactor.run();
    REQUIRE(noted == "v");
}

TEST_CASE("to wait for a descriptor, and to be woken, needs no memory", "[promise]") {
    int count = -1;
    Reactor reactor;
    Pair pair;
    const Socket socket(reactor, std::move(pair.ours));
    reactor.start(count_allocations_of_waits(reactor, socket, pair.theirs, count));
    reactor.run();
    REQUIRE(count == 0);
}

TEST_CASE("queue: first come, first served", "[promise]") {
    Queue<Item> queue;
    REQUIRE(queue.empty());
    Item one(1);
    Item two(2);
    Item three(3);
    queue.push(one);
    queue.push(two);
    REQUIRE(&queue.pop() == &one);
    queue.push(three);
    queue.push(one);
    REQUIRE_FALSE(queue.empty());
    REQUIRE(numbers_of(queue) == "231");
    REQUIRE(queue.empty());
}

TEST_CASE("queue: a member knows whether it stands in one", "[promise]") {
    Queue<Item> queue;
    Item one(1);
    Item two(2);
    REQUIRE_FALSE(one.is_queued());
    queue.push(one);
    REQUIRE(one.is_queued());  // Also where it is the only one.
    queue.push(two);
    queue.pop();
    REQUIRE_FALSE(one.is_queued());
    REQUIRE(two.is_queued());
    queue.pop();
    REQUIRE_FALSE(two.is_queued());
}

TEST_CASE("queue: a member that is destroyed is in it no longer, wherever it stood", "[promise]") {
    for (const int gone : {1, 2, 3}) {
        CAPTURE(gone);
        Queue<Item> queue;
        std::array<std::optional<Item>, 3> items;
        std::string left;
        for (int number = 1; number <= 3; ++number) {
            std::optional<Item>& item = items[static_cast<std::size_t>(number - 1)];
            item.emplace(number);
            queue.push(*item);
            left += number == gone ? "" : std::to_string(number);
        }
        items[static_cast<std::size_t>(gone - 1)].reset();
        Item last(4);
        queue.push(last);
        REQUIRE(numbers_of(queue) == left + "4");
    }
    Queue<Item> queue;
    {
        Item alone(1);
        queue.push(alone);
    }
    REQUIRE(queue.empty());
}

TEST_CASE("queue: it may be destroyed before its members, and they find their way out",
          "[promise]") {
    Item one(1);
    Item two(2);
    {
        Queue<Item> queue;
        queue.push(one);
        queue.push(two);
    }
    Item three(3);  // The circle is one of two members now, without a queue.
    Queue<Item> other;
    other.push(three);
    REQUIRE(numbers_of(other) == "3");
}

TEST_CASE("queue: all of another one come behind those who are there, in their order",
          "[promise]") {
    Queue<Item> queue;
    Queue<Item> other;
    Item one(1);
    Item two(2);
    Item three(3);
    queue.push(one);
    other.push(two);
    other.push(three);
    queue.take_all_of(other);
    REQUIRE(other.empty());
    queue.take_all_of(other);  // Of nobody.
    REQUIRE(numbers_of(queue) == "123");
}

TEST_CASE("queue: nothing that it does can fail", "[promise]") {
    STATIC_REQUIRE(noexcept(std::declval<Queue<Item>&>().push(std::declval<Item&>())));
    STATIC_REQUIRE(noexcept(std::declval<Queue<Item>&>().pop()));
    STATIC_REQUIRE(
        noexcept(std::declval<Queue<Item>&>().take_all_of(std::declval<Queue<Item>&>())));
    STATIC_REQUIRE_FALSE(
        std::is_copy_constructible_v<Item>);  // The links of a copy would be wrong.
    STATIC_REQUIRE_FALSE(std::is_move_constructible_v<Queue<Item>>);
}

TEST_CASE("the server and the task are the same to the byte as before", "[promise]") {
    REQUIRE(read_source(chapter_under_test(), "runtime/task.hpp") ==
            read_source(chapter_before(), "runtime/task.hpp"));
    REQUIRE(without_first_line(read_source(chapter_under_test(), "server.cpp")) ==
            without_first_line(read_source(chapter_before(), "server.cpp")));
}

TEST_CASE("clients who send at the same time are answered in one round, in their order",
          "[promise]") {
    require_strace();
    const Server server;
    std::vector<Client> clients = connect_clients(server, 10);
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,sendto");
    server.stop_all();
    for (const std::size_t i : {3, 1, 4, 0, 5, 9, 2, 6, 8, 7}) {
        clients[i].send(std::to_string(i));
    }
    server.continue_all();
    for (Client& client : clients) {
        REQUIRE(client.receive(1).size() == 1);
    }
    wait_until_at_rest(server);
    std::string order;
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("sendto(")) {
            order += call.at(call.find('"') + 1);
        } else if (!order.empty()) {
            order += ' ';
        }
    }
    REQUIRE(order == "3140592687 ");
}

TEST_CASE("epoll is asked between two turns of a client, however much that one has sent",
          "[promise]") {
    require_strace();
    constexpr int plenty = 4 * 1024 * 1024;
    const Server server;
    Client client(server, {.receive_buffer = plenty, .send_buffer = plenty});
    REQUIRE(client.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "epoll_wait,epoll_pwait,read");
    server.stop_all();
    const std::size_t sent = send_until_server_is_held_back(client).size();
    server.continue_all();
    REQUIRE(client.receive(sent).size() == sent);
    wait_until_at_rest(server);
    std::vector<int> reads = {0};  // In each round.
    for (const std::string& call : trace.lines()) {
        if (call.starts_with("epoll_")) {
            reads.push_back(0);
        } else {
            ++reads.back();
        }
    }
    const long long rounds = std::count_if(reads.begin(), reads.end(), [](int n) { return n > 0; });
    CAPTURE(reads);
    REQUIRE(rounds >= 3);
    REQUIRE(*std::max_element(reads.begin(), reads.end()) <= 5);
}

TEST_CASE("a client from which nothing more comes gets the rest when it makes room", "[promise]") {
    require_strace();
    const Server server;
    Client client(server, {.receive_buffer = 4096});
    REQUIRE(client.exchange("hello") == "hello");
    const SystemCallTrace trace(server, "sendto");
    const std::string piece = random_bytes(60'000);  // Less than a read takes: so it takes all.
    std::string sent;
    while (trace.lines().empty() || trace.lines().back().find("EAGAIN") == std::string::npos) {
        client.send(piece);
        sent += piece;
        wait_until_at_rest(server);
    }
    const bool same = client.receive(sent.size()) == sent;
    REQUIRE(same);
}

TEST_CASE("an echo costs three system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read and sendto.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 30 || calls == 29));
}

TEST_CASE("fifty clients at once cost two system calls and more for each echo", "[limit]") {
    require_strace();
    REQUIRE(system_calls_for_echoes_of_fifty(chapter_under_test()) == "two and more for each echo");
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
