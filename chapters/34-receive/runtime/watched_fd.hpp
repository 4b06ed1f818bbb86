// What is known of a descriptor, and who may wait for it.
#pragma once

#include <utility>

#include "fd.hpp"
#include "reactor.hpp"

/// A descriptor whose events a coroutine can await, one at a time.
class WatchedFd {
public:
    /// Takes over the descriptor. Throws std::system_error when epoll cannot take it.
    WatchedFd(Reactor& reactor, Fd fd);
    WatchedFd(const WatchedFd&) = delete;
    WatchedFd& operator=(const WatchedFd&) = delete;
    ~WatchedFd();

    Reactor& reactor() const { return reactor_; }
    const Fd& fd() const { return fd_; }
    Watched& state() const { return state_; }

private:
    Reactor& reactor_;
    Fd fd_;
    Watched& state_;
};

inline WatchedFd::WatchedFd(Reactor& reactor, Fd fd)
    : reactor_(reactor), fd_(std::move(fd)), state_(reactor.watch(fd_)) {}

inline WatchedFd::~WatchedFd() {
    reactor_.forget(fd_);
}
