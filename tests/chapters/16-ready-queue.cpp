// Chapter 16: who has the next turn is the business of a class, tested without a kernel.

#include <malloc.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <optional>
#include <vector>

#include "chapters/scenarios.hpp"
#include "runtime/ready_queue.hpp"
#include "support/strace.hpp"

namespace {

/// Descriptors 0 to `count` - 1 are queued, in this order.
ReadyQueue queue_of(int count) {
    ReadyQueue queue;
    for (int fd = 0; fd < count; ++fd) {
        queue.make_room(fd);
        queue.add(fd);
    }
    return queue;
}

/// One round, in which all give the same answer: which descriptors had a turn, in order.
std::vector<int> run_round(ReadyQueue& queue, Next answer) {
    std::vector<int> turns;
    queue.begin_round();
    while (const std::optional<int> fd = queue.next()) {
        turns.push_back(*fd);
        queue.end_turn(*fd, answer);
    }
    return turns;
}

const std::vector<int> none;

/// Of the memory that malloc() hands out. A sanitizer has a malloc() of its own, and this is 0.
std::size_t bytes_in_use() {
    const struct mallinfo2 heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before the queue was a class",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, it took three clients, buffers of four mebibytes and strace to see this.
TEST_CASE("ready queue: a descriptor with more to do has its next turn after all others", "[why]") {
    ReadyQueue queue = queue_of(3);
    queue.begin_round();
    REQUIRE(queue.next() == 0);
    queue.end_turn(0, Next::turn);
    REQUIRE(queue.next() == 1);
    queue.end_turn(1, Next::event);
    REQUIRE(queue.next() == 2);
    queue.end_turn(2, Next::turn);
    REQUIRE(queue.next() == std::nullopt);
    REQUIRE(run_round(queue, Next::turn) == std::vector{0, 2});
}

TEST_CASE("ready queue: after an answer of event or end there is no turn without an event",
          "[promise]") {
    for (const Next answer : {Next::event, Next::end}) {
        ReadyQueue queue = queue_of(2);
        REQUIRE(run_round(queue, answer) == std::vector{0, 1});
        REQUIRE(run_round(queue, answer) == none);
        queue.add(1);
        REQUIRE(run_round(queue, answer) == std::vector{1});
    }
}

TEST_CASE("ready queue: whatever comes for a descriptor that is queued, it has one turn in a round",
          "[promise]") {
    ReadyQueue queue = queue_of(2);
    queue.add(0);
    queue.begin_round();
    REQUIRE(queue.next() == 0);
    queue.add(0);  // During its own turn, too: the answer is still to come.
    queue.end_turn(0, Next::turn);
    queue.add(0);
    REQUIRE(queue.next() == 1);
    queue.end_turn(1, Next::pause);
    queue.add(1);
    REQUIRE(queue.next() == std::nullopt);
    REQUIRE(run_round(queue, Next::event) == std::vector{0, 1});
    REQUIRE(run_round(queue, Next::event) == none);
}

TEST_CASE("ready queue: the thread sleeps only while no descriptor is to have a turn",
          "[promise]") {
    ReadyQueue queue = queue_of(2);
    REQUIRE(queue.timeout_ms() == 0);
    run_round(queue, Next::turn);
    REQUIRE(queue.timeout_ms() == 0);
    run_round(queue, Next::event);
    REQUIRE(queue.timeout_ms() == -1);
}

TEST_CASE("ready queue: a pause lasts a while, or until anything happens", "[promise]") {
    ReadyQueue queue = queue_of(2);
    run_round(queue, Next::pause);
    REQUIRE(queue.timeout_ms() == 100);
    queue.make_room(2);
    queue.add(2);
    REQUIRE(queue.timeout_ms() == 0);  // Nothing waits for a pause of another descriptor.
    REQUIRE(run_round(queue, Next::event) == std::vector{2, 0, 1});
    REQUIRE(queue.timeout_ms() == -1);
}

TEST_CASE("ready queue: for ten thousand descriptors room is made a few times", "[promise]") {
    ReadyQueue queue;
    int times = 0;
    for (int fd = 0; fd < 10'000; ++fd) {
        const std::size_t before = bytes_in_use();
        queue.make_room(fd);
        times += bytes_in_use() != before ? 1 : 0;
    }
    REQUIRE(times < 20);
}

TEST_CASE("ready queue: room for a descriptor is made once, and then no turn needs memory",
          "[promise]") {
    ReadyQueue queue = queue_of(1);
    for (int fd = 1; fd < 1000; ++fd) {
        queue.make_room(fd);
    }
    queue.make_room(5000);
    queue.make_room(17);
    const std::size_t before = bytes_in_use();
    for (int fd = 1; fd < 1000; ++fd) {
        queue.add(fd);
    }
    std::size_t turns = 0;
    for (const Next answer : {Next::pause, Next::turn, Next::turn}) {
        queue.begin_round();
        while (const std::optional<int> fd = queue.next()) {
            queue.end_turn(*fd, answer);
            queue.add(5000);
            ++turns;
        }
    }
    const std::size_t now = bytes_in_use();
    REQUIRE(turns == 1000 + 1001 + 1001);
    REQUIRE(now == before);
}

TEST_CASE("a client whom epoll cannot take is turned away, and the others stay", "[promise]") {
    require_strace();
    require_turned_away_without_room_in_epoll();
}

TEST_CASE("an echo costs four system calls", "[limit]") {
    require_strace();
    // Each time epoll_wait, read, sendto, and a read that finds nothing.
    const std::size_t calls = system_calls_of_ten_echoes(chapter_under_test());
    CAPTURE(calls);
    REQUIRE((calls == 40 || calls == 39));
}
