// Chapter 18: a reactor calls back, for each descriptor what has been left with it.

#include "runtime/reactor.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "chapters/scenarios.hpp"
#include "check.hpp"
#include "support/client.hpp"
#include "support/rest.hpp"
#include "support/server.hpp"
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

    /// One byte of what has been said, or 0 when there is none.
    char hear() const {
        char byte = 0;
        return ::read(ours.get(), &byte, 1) == 1 ? byte : '\0';
    }

    Fd ours;
    Fd theirs;
};

/// Hears all that there is, in one turn, and adds it to `heard`.
Reactor::Callback hear_all(const Pair& pair, std::string& heard) {
    return [&pair, &heard] {
        while (const char byte = pair.hear()) {
            heard += byte;
        }
        return Next::event;
    };
}

/// Hears one byte a turn.
Reactor::Callback hear_one(const Pair& pair, std::string& heard) {
    return [&pair, &heard] {
        const char byte = pair.hear();
        if (byte == '\0') {
            return Next::event;
        }
        heard += byte;
        return Next::turn;
    };
}

/// A new socket is writable, and that is its first event.
void take_first_events(Reactor& reactor) {
    reactor.run_once();
}

}  // namespace

TEST_CASE("for small echoes the server makes the same system calls as before each had a callback",
          "[why]") {
    require_strace();
    REQUIRE(system_calls_of_a_session(chapter_under_test()) ==
            system_calls_of_a_session(chapter_before()));
}

// Before, the one function that the loop calls had to know all three.
TEST_CASE("reactor: a timer, a counter and a socket are served by one loop that knows none of them",
          "[why]") {
    Reactor reactor;
    std::string heard;
    const Pair pair;
    pair.say("socket ");
    reactor.watch(pair.ours, hear_all(pair, heard));
    const auto watch_number = [&](const Fd& fd, const std::string& name) {
        // `fd` refers to a descriptor below, which outlives the reactor's last round.
        reactor.watch(fd, [&heard, &fd, name] {
            std::uint64_t number = 0;
            if (::read(fd.get(), &number, sizeof number) == sizeof number) {
                heard += name + std::to_string(number) + " ";
            }
            return Next::event;
        });
    };
    const Fd counter{check(::eventfd(41, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")};
    watch_number(counter, "counter ");
    const Fd timer{
        check(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")};
    watch_number(timer, "timer ");
    reactor.run_once();
    REQUIRE(heard == "socket counter 41 ");
    const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
    check(::timerfd_settime(timer.get(), 0, &soon, nullptr), "timerfd_settime");
    // Once or twice: that the counter has been read is an event of its own, room to write.
    for (int i = 0; heard.find("timer") == std::string::npos; ++i) {
        REQUIRE(i < 10);
        reactor.run_once();
    }
    REQUIRE(heard == "socket counter 41 timer 1 ");
}

TEST_CASE("reactor: one round serves all that are ready, however many they are", "[promise]") {
    Reactor reactor;
    const std::vector<Pair> pairs(200);
    int turns = 0;
    for (const Pair& pair : pairs) {
        reactor.watch(pair.ours, [&turns] {
            ++turns;
            return Next::event;
        });
    }
    reactor.run_once();  // A new socket is writable.
    REQUIRE(turns == 200);
}

TEST_CASE("reactor: a callback is called for what was there before, and for what comes later",
          "[promise]") {
    Reactor reactor;
    const Pair pair;
    std::string heard;
    pair.say("early ");
    reactor.watch(pair.ours, hear_all(pair, heard));
    reactor.run_once();
    REQUIRE(heard == "early ");
    pair.say("late");
    reactor.run_once();
    REQUIRE(heard == "early late");
}

TEST_CASE("reactor: only those who are ready are called", "[promise]") {
    Reactor reactor;
    const Pair speaks;
    const Pair silent;
    std::string heard;
    int calls = 0;
    reactor.watch(speaks.ours, hear_all(speaks, heard));
    reactor.watch(silent.ours, [&] {
        ++calls;
        return Next::event;
    });
    take_first_events(reactor);
    REQUIRE(calls == 1);
    speaks.say("hello");
    reactor.run_once();
    REQUIRE(heard == "hello");
    REQUIRE(calls == 1);
}

TEST_CASE("reactor: whoever has more to do has another turn without another event", "[promise]") {
    Reactor reactor;
    const Pair pair;
    std::string heard;
    reactor.watch(pair.ours, hear_one(pair, heard));
    take_first_events(reactor);
    pair.say("abc");
    reactor.run_once();
    REQUIRE(heard == "a");
    reactor.run_once();
    reactor.run_once();
    REQUIRE(heard == "abc");
}

TEST_CASE("reactor: turns are taken in turn", "[promise]") {
    Reactor reactor;
    const Pair one;
    const Pair two;
    std::string heard;
    reactor.watch(one.ours, hear_one(one, heard));
    reactor.watch(two.ours, hear_one(two, heard));
    take_first_events(reactor);
    one.say("aaaa");
    reactor.run_once();
    two.say("bbbb");
    for (int i = 0; i < 4; ++i) {
        reactor.run_once();
    }
    REQUIRE(heard == "aabababb");
}

TEST_CASE("reactor: an event for somebody who waits for a turn does not give him a second one",
          "[promise]") {
    Reactor reactor;
    const Pair pair;
    int turns = 0;
    reactor.watch(pair.ours, [&] {
        ++turns;
        return Next::turn;
    });
    for (int i = 1; i <= 10; ++i) {
        pair.say("x");
        reactor.run_once();
        REQUIRE(turns == i);
    }
}

TEST_CASE("reactor: a pause is over when something happens to anybody", "[promise]") {
    Reactor reactor;
    const Pair cannot;
    const Pair pair;
    std::string heard;
    int tries = 0;
    reactor.watch(cannot.ours, [&] {
        ++tries;
        return Next::pause;
    });
    reactor.watch(pair.ours, hear_all(pair, heard));
    take_first_events(reactor);
    REQUIRE(tries == 1);
    pair.say("hello");
    reactor.run_once();
    REQUIRE(heard == "hello");
    REQUIRE(tries == 2);
}

TEST_CASE("reactor: a pause is over after a while", "[promise]") {
    Reactor reactor;
    const Pair cannot;
    int tries = 0;
    reactor.watch(cannot.ours, [&] {
        ++tries;
        return tries < 3 ? Next::pause : Next::event;
    });
    reactor.run_once();
    const auto start = std::chrono::steady_clock::now();
    reactor.run_once();
    reactor.run_once();
    REQUIRE(tries == 3);
    // At least: a loaded machine takes longer and is right, too.
    REQUIRE(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds{190});
}

TEST_CASE("reactor: nobody waits for somebody else's pause", "[promise]") {
    Reactor reactor;
    const Pair cannot;
    const Pair busy;
    int turns = 0;
    reactor.watch(cannot.ours, [] { return Next::pause; });
    reactor.watch(busy.ours, [&] {
        ++turns;
        return Next::turn;
    });
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i) {
        reactor.run_once();
    }
    REQUIRE(turns == 1000);
    // A thousand pauses would be a hundred seconds.
    REQUIRE(std::chrono::steady_clock::now() - start < std::chrono::seconds{50});
}

TEST_CASE("reactor: at the end the callback is destroyed, with all that it owns", "[promise]") {
    Reactor reactor;
    auto pair = std::make_shared<Pair>();
    const std::weak_ptr<Pair> life = pair;
    const Fd& fd = pair->ours;
    const int number = fd.get();
    reactor.watch(
        fd, [owned = std::move(pair)] { return owned->hear() == 'q' ? Next::end : Next::event; });
    take_first_events(reactor);
    REQUIRE_FALSE(life.expired());
    life.lock()->say("q");
    reactor.run_once();
    REQUIRE(life.expired());
    REQUIRE(::fcntl(number, F_GETFD) == -1);  // Nobody has it open any more.

    // The kernel gives the number to the next one, and that is another.
    const Pair next;
    std::string heard;
    next.say("hello");
    reactor.watch(next.ours, hear_all(next, heard));
    reactor.run_once();
    REQUIRE(heard == "hello");
}

TEST_CASE("reactor: a callback may have others watched, many of them", "[promise]") {
    Reactor reactor;
    const Pair first;
    std::vector<std::unique_ptr<Pair>> others;
    std::string heard;
    reactor.watch(first.ours, [&] {
        for (int i = 0; i < 200; ++i) {  // Enough to make a hash table grow under its feet.
            others.push_back(std::make_unique<Pair>());
            others.back()->say("x");
            reactor.watch(others.back()->ours, hear_all(*others.back(), heard));
        }
        return Next::end;
    });
    for (int i = 0; heard.size() < 200; ++i) {
        REQUIRE(i < 10);
        reactor.run_once();
    }
    REQUIRE(others.size() == 200);
}

TEST_CASE("reactor: a descriptor that epoll cannot take is an error, and nothing is kept",
          "[promise]") {
    Reactor reactor;
    const Fd file{check(::open("/dev/null", O_RDONLY | O_CLOEXEC), "open")};
    auto owned = std::make_shared<int>();
    const std::weak_ptr<int> life = owned;
    REQUIRE_THROWS_AS(
        reactor.watch(file, [kept = std::move(owned)] { return kept ? Next::end : Next::event; }),
        std::system_error);
    REQUIRE(life.expired());
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
