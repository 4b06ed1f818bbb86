// What a coroutine can await of a descriptor: the reactor resumes it.
#pragma once

#include <coroutine>
#include <utility>

#include "fd.hpp"
#include "reactor.hpp"
#include "ready_queue.hpp"

/// A descriptor whose events a coroutine can await, one at a time.
class WatchedFd {
public:
    class Pause;

    /// Takes over the descriptor. Throws std::system_error when epoll cannot take it.
    WatchedFd(Reactor& reactor, Fd fd);
    WatchedFd(const WatchedFd&) = delete;
    WatchedFd& operator=(const WatchedFd&) = delete;
    ~WatchedFd();

    Reactor& reactor() const { return reactor_; }
    const Fd& fd() const { return fd_; }
    Watched& state() const { return state_; }

    /// `co_await watched.pause()` goes on after a while: no event will tell when it can.
    Pause pause() const;

private:
    Reactor& reactor_;
    Fd fd_;
    Watched& state_;
};

class WatchedFd::Pause : public Waiter {
public:
    Pause(Reactor& reactor, int fd) : reactor_(reactor), fd_(fd) {}

    bool await_ready() noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        reactor_.wait(fd_, *this, Next::pause);
    }

    void await_resume() noexcept {}

private:
    Reactor& reactor_;
    const int fd_;
};

inline WatchedFd::WatchedFd(Reactor& reactor, Fd fd)
    : reactor_(reactor), fd_(std::move(fd)), state_(reactor.watch(fd_)) {}

inline WatchedFd::~WatchedFd() {
    reactor_.forget(fd_);
}

inline WatchedFd::Pause WatchedFd::pause() const {
    return {reactor_, fd_.get()};
}
