// What a coroutine can await of a descriptor: the reactor's callback resumes it.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <utility>

#include "coroutine.hpp"
#include "fd.hpp"
#include "reactor.hpp"
#include "ready_queue.hpp"

/// A descriptor whose events one coroutine can await. The coroutine has to be in a turn of this
/// descriptor when it ends.
class WatchedFd {
public:
    class Awaiter;

    /// The reactor takes over the descriptor, and closes it after the coroutine has ended. Throws
    /// std::system_error when epoll cannot take it.
    WatchedFd(Reactor& reactor, Fd fd);

    const Fd& fd() const { return waiter_->fd; }

    /// `co_await watched.event()` goes on when something has changed. An edge is reported once:
    /// await it at the beginning, and where a call has failed with EAGAIN.
    Awaiter event() const;

    /// `co_await watched.turn()` goes on at once a few times, and then after the others have had
    /// their turn.
    Awaiter turn() const;

    /// `co_await watched.pause()` goes on after a while: no event will tell when it can.
    Awaiter pause() const;

private:
    struct Waiter {
        explicit Waiter(Fd watched) : fd(std::move(watched)) {}
        ~Waiter() {
            if (frame) {
                frame.destroy();
            }
        }
        Next resume();

        Fd fd;
        std::coroutine_handle<> frame;  ///< of the coroutine that waits here
        Next next = Next::event;        ///< what it waits for
        int steps_left = 0;             ///< of its turn
    };

    Waiter* waiter_;  // The callback owns it.
};

/// What `co_await` asks: is it ready, who has the coroutine meanwhile, and what comes of it?
class WatchedFd::Awaiter {
public:
    Awaiter(Waiter& waiter, Next next) : waiter_(waiter), next_(next) {}

    bool await_ready() noexcept { return next_ == Next::turn && --waiter_.steps_left > 0; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        waiter_.frame = frame;
        waiter_.next = next_;
    }

    void await_resume() noexcept {}

private:
    Waiter& waiter_;
    const Next next_;
};

inline WatchedFd::WatchedFd(Reactor& reactor, Fd fd) {
    const auto waiter = std::make_shared<Waiter>(std::move(fd));
    reactor.watch(waiter->fd, [waiter] { return waiter->resume(); });
    waiter_ = waiter.get();
}

inline WatchedFd::Awaiter WatchedFd::event() const {
    return {*waiter_, Next::event};
}

inline WatchedFd::Awaiter WatchedFd::turn() const {
    return {*waiter_, Next::turn};
}

inline WatchedFd::Awaiter WatchedFd::pause() const {
    return {*waiter_, Next::pause};
}

/// The callback: the coroutine goes on until it waits here again, or has ended.
inline Next WatchedFd::Waiter::resume() {
    constexpr int steps_at_once = 4;
    steps_left = steps_at_once;
    if (frame) {
        std::exchange(frame, nullptr).resume();
    }
    if (Coroutine::failure) {
        std::rethrow_exception(std::exchange(Coroutine::failure, nullptr));
    }
    return frame ? next : Next::end;
}
