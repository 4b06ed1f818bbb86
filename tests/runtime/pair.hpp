// A connection with both ends in the test.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "check.hpp"
#include "fd.hpp"
#include "support/chapter.hpp"

/// Two ends of a connection. Ours is as the engine wants it: epoll needs a descriptor that does not
/// block, and on some kernels an operation of io_uring does not wait on such a one.
struct Pair {
    Pair() {
        std::array<int, 2> ends{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
        ours = Fd{ends[0]};
        theirs = Fd{ends[1]};
        if (!chapter_has("liburing")) {
            check(::fcntl(ours.get(), F_SETFL, O_NONBLOCK), "fcntl");
        }
    }

    Fd ours;
    Fd theirs;
};

inline void say(const Fd& fd, const std::string& words) {
    REQUIRE(::write(fd.get(), words.data(), words.size()) == static_cast<ssize_t>(words.size()));
}
