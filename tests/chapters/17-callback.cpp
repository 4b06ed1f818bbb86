// Chapter 17: the loop is a part of its own. It calls one function, and can be tested alone.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "runtime/reactor.hpp"
#include "support/strace.hpp"

namespace {

/// Two ends of a connection, neither of which blocks.
struct Pair {
    Pair() {
        std::array<int, 2> ends{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
              "socketpair");
        ours = Fd{ends[0]};
        theirs = Fd{ends[1]};
    }

    void say(const std::string& words) const {
        REQUIRE(::write(theirs.get(), words.data(), words.size()) ==
                static_cast<ssize_t>(words.size()));
    }

    Fd ours;
    Fd theirs;
};

/// One byte of what has been said, or 0 when there is none.
char hear(int fd) {
    char byte = 0;
    return ::read(fd, &byte, 1) == 1 ? byte : '\0';
}

/// Each hears one byte a turn.
auto hear_one(std::string& heard) {
    return [&heard](int fd) {
        const char byte = hear(fd);
        if (byte == '\0') {
            return Next::event;
        }
        heard += byte;
        return Next::turn;
    };
}

/// Each hears all that there is, in one turn.
auto hear_all(std::string& heard) {
    return [&heard](int fd) {
        while (const char byte = hear(fd)) {
            heard += byte;
        }
        return Next::event;
    };
}

/// A new socket is writable, and that is its first event.
void take_first_events(Reactor& reactor) {
    reactor.run_once([](int) { return Next::event; });
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before the loop was apart",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, the loop was a function of the server, and named its listener and its clients.
TEST_CASE("reactor: two talk at once and have their turns in turn, with no server around the loop",
          "[why]") {
    Reactor reactor;
    const Pair one;
    const Pair two;
    reactor.watch(one.ours);
    reactor.watch(two.ours);
    take_first_events(reactor);
    std::string heard;
    one.say("aaaa");
    reactor.run_once(hear_one(heard));
    two.say("bbbb");
    for (int i = 0; i < 4; ++i) {
        reactor.run_once(hear_one(heard));
    }
    REQUIRE(heard == "aabababb");
}

TEST_CASE("reactor: there is a turn for what was there before, and for what comes later",
          "[promise]") {
    Reactor reactor;
    const Pair pair;
    pair.say("before ");
    reactor.watch(pair.ours);
    std::string heard;
    reactor.run_once(hear_all(heard));
    REQUIRE(heard == "before ");
    pair.say("later");
    reactor.run_once(hear_all(heard));
    REQUIRE(heard == "before later");
}

TEST_CASE("reactor: one round has a turn for all that are ready, however many they are",
          "[promise]") {
    Reactor reactor;
    const std::vector<Pair> pairs(200);
    for (const Pair& pair : pairs) {
        reactor.watch(pair.ours);
    }
    int turns = 0;
    reactor.run_once([&turns](int) {  // A new socket is writable.
        ++turns;
        return Next::event;
    });
    REQUIRE(turns == 200);
}

TEST_CASE("reactor: only those who are ready have a turn", "[promise]") {
    Reactor reactor;
    const Pair speaks;
    const Pair silent;
    reactor.watch(speaks.ours);
    reactor.watch(silent.ours);
    take_first_events(reactor);
    speaks.say("hello");
    std::vector<int> turns;
    reactor.run_once([&turns](int fd) {
        turns.push_back(fd);
        return Next::event;
    });
    REQUIRE(turns == std::vector{speaks.ours.get()});
}

TEST_CASE("reactor: an event for a descriptor that is in line does not give it a second turn",
          "[promise]") {
    Reactor reactor;
    const Pair pair;
    reactor.watch(pair.ours);
    int turns = 0;
    for (int i = 1; i <= 10; ++i) {
        pair.say("x");
        reactor.run_once([&turns](int) {
            ++turns;
            return Next::turn;
        });
        REQUIRE(turns == i);
    }
}

TEST_CASE("reactor: a pause is over when anything happens", "[promise]") {
    Reactor reactor;
    const Pair cannot;
    const Pair pair;
    reactor.watch(cannot.ours);
    reactor.watch(pair.ours);
    std::vector<int> turns;
    const auto turn = [&](int fd) {
        turns.push_back(fd);
        return fd == cannot.ours.get() ? Next::pause : Next::event;
    };
    reactor.run_once(turn);
    turns.clear();
    pair.say("hello");
    reactor.run_once(turn);
    REQUIRE(turns == std::vector{pair.ours.get(), cannot.ours.get()});
}

TEST_CASE("reactor: a turn may have others watched, many of them", "[promise]") {
    Reactor reactor;
    const Pair first;
    reactor.watch(first.ours);
    std::vector<std::unique_ptr<Pair>> others;
    std::string heard;
    const auto turn = [&](int fd) {
        if (fd != first.ours.get()) {
            heard += hear(fd);
            return Next::end;
        }
        for (int i = 0; i < 200; ++i) {  // Enough to make the lists of the queue grow.
            others.push_back(std::make_unique<Pair>());
            others.back()->say("x");
            reactor.watch(others.back()->ours);
        }
        return Next::end;
    };
    for (int i = 0; heard.size() < 200; ++i) {
        REQUIRE(i < 10);
        reactor.run_once(turn);
    }
    REQUIRE(heard == std::string(200, 'x'));
}

TEST_CASE("reactor: the number of a descriptor that has come to its end can be watched again",
          "[promise]") {
    Reactor reactor;
    auto pair = std::make_unique<Pair>();
    const int number = pair->ours.get();
    reactor.watch(pair->ours);
    reactor.run_once([&pair](int) {
        pair.reset();
        return Next::end;
    });
    const Pair next;
    REQUIRE(next.ours.get() == number);
    next.say("hello");
    reactor.watch(next.ours);
    std::string heard;
    reactor.run_once(hear_all(heard));
    REQUIRE(heard == "hello");
}

TEST_CASE("reactor: a descriptor that epoll cannot take is an error", "[promise]") {
    Reactor reactor;
    const Fd file{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
    REQUIRE_THROWS_AS(reactor.watch(file), std::system_error);
}

TEST_CASE("reactor: a timer, a counter and a socket are three branches in one function",
          "[limit]") {
    Reactor reactor;
    const Pair pair;
    const Fd counter{check(::eventfd(41, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")};
    const Fd timer{
        check(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")};
    for (const Fd* fd : {&pair.ours, &counter, &timer}) {
        reactor.watch(*fd);
    }
    std::string heard;
    const auto turn = [&](int fd) {
        std::uint64_t number = 0;
        if (fd == pair.ours.get()) {
            heard += hear(fd);
        } else if (fd == counter.get()) {
            if (::read(fd, &number, sizeof number) == sizeof number) {
                heard += " counter " + std::to_string(number);
            }
        } else {
            if (::read(fd, &number, sizeof number) == sizeof number) {
                heard += " timer " + std::to_string(number);
            }
        }
        return Next::event;
    };
    pair.say("s");
    reactor.run_once(turn);
    REQUIRE(heard == "s counter 41");
    const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
    check(::timerfd_settime(timer.get(), 0, &soon, nullptr), "timerfd_settime");
    // Once or twice: that the counter has been read is an event of its own, room to write.
    for (int i = 0; heard.find("timer") == std::string::npos; ++i) {
        REQUIRE(i < 10);
        reactor.run_once(turn);
    }
    // And a fourth kind that the function does not know has its turn as a timer.
    const Pair unknown;
    unknown.say("12345678");
    reactor.watch(unknown.ours);
    heard.clear();
    reactor.run_once(turn);
    REQUIRE(heard == " timer 4050765991979987505");
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
