// What a coroutine can await of a descriptor: the reactor resumes it.
#pragma once

#include <coroutine>
#include <utility>

#include "fd.hpp"
#include "reactor.hpp"
#include "ready_queue.hpp"

/// A descriptor whose events a coroutine can await, one at a time. When it is destroyed, so is the
/// coroutine that waits for it.
class WatchedFd {
public:
    class Awaiter;

    /// Takes over the descriptor. Throws std::system_error when epoll cannot take it.
    WatchedFd(Reactor& reactor, Fd fd);
    WatchedFd(const WatchedFd&) = delete;
    WatchedFd& operator=(const WatchedFd&) = delete;
    ~WatchedFd();

    const Fd& fd() const { return fd_; }

    /// `co_await watched.event()` goes on when something has changed. An edge is reported once:
    /// await it at the beginning, and where a call has failed with EAGAIN.
    Awaiter event() const;

    /// `co_await watched.turn()` goes on at once a few times, and then after the others have had
    /// their turn.
    Awaiter turn() const;

    /// `co_await watched.pause()` goes on after a while: no event will tell when it can.
    Awaiter pause() const;

private:
    Reactor& reactor_;
    Fd fd_;
};

/// What `co_await` asks: is it ready, who has the coroutine meanwhile, and what comes of it?
class WatchedFd::Awaiter {
public:
    Awaiter(Reactor& reactor, int fd, Next next) : reactor_(reactor), fd_(fd), next_(next) {}

    bool await_ready() noexcept { return next_ == Next::turn && --reactor_.steps_left_ > 0; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        reactor_.waiting_.at(fd_) = frame;
        reactor_.ready_.wait(fd_, next_);
    }

    void await_resume() noexcept {}

private:
    Reactor& reactor_;
    const int fd_;
    const Next next_;
};

inline WatchedFd::WatchedFd(Reactor& reactor, Fd fd) : reactor_(reactor), fd_(std::move(fd)) {
    reactor_.watch(fd_);
}

inline WatchedFd::~WatchedFd() {
    reactor_.forget(fd_);
}

inline WatchedFd::Awaiter WatchedFd::event() const {
    return {reactor_, fd_.get(), Next::event};
}

inline WatchedFd::Awaiter WatchedFd::turn() const {
    return {reactor_, fd_.get(), Next::turn};
}

inline WatchedFd::Awaiter WatchedFd::pause() const {
    return {reactor_, fd_.get(), Next::pause};
}
