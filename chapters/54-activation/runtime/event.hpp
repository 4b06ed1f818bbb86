// Something that happens once, and the word of it for every thread.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include "check.hpp"
#include "fd.hpp"
#include "operation.hpp"
#include "reactor.hpp"

/// Happens once, in one thread; every thread can wait for it, and learns of it before and after
/// (eventfd(2)).
class Event {
public:
    /// Throws std::system_error.
    Event() : fd_(check(::eventfd(0, EFD_CLOEXEC), "eventfd")) {}

    /// No thread reads the number, so the descriptor is readable from now on.
    void happen() const noexcept { ::eventfd_write(fd_.get(), 1); }

    const Fd& fd() const noexcept { return fd_; }

private:
    Fd fd_;
};

/// Has an event happen at the end of its scope at the latest, on whichever path that is left.
class HappensAtLast {
public:
    explicit HappensAtLast(const Event& event) noexcept : event_(event) {}
    HappensAtLast(const HappensAtLast&) = delete;
    HappensAtLast& operator=(const HappensAtLast&) = delete;
    ~HappensAtLast() { event_.happen(); }

private:
    const Event& event_;
};

/// What EventWatch::happened() returns.
class [[nodiscard]] Happened : public Operation {
public:
    Happened(Reactor& reactor, Slot& slot, const Fd& event) : Operation(reactor, slot, event) {}

    void await_resume() const { count("poll"); }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_poll_add(&entry, fd(), POLLIN); }
};

/// An event, for a coroutine of this loop. The event outlives it.
class EventWatch {
public:
    EventWatch(Reactor& reactor, const Event& event) : reactor_(reactor), event_(event) {}

    /// `co_await watch.happened()` goes on when it has. Throws std::system_error.
    Happened happened() { return {reactor_, waiting_, event_.fd()}; }

private:
    Reactor& reactor_;
    const Event& event_;
    Slot waiting_;
};
