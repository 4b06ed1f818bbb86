// Signals for the whole process, and the word that they have come, for each of its rings.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <initializer_list>

#include "check.hpp"
#include "fd.hpp"
#include "io.hpp"

inline sigset_t signal_set(std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) {
        ::sigaddset(&set, number);
    }
    return set;
}

/// From now on these signals do nothing to this thread, and to those that it starts: they wait for
/// wait_for_signal(). Throws std::system_error.
inline void hold_signals(std::initializer_list<int> numbers) {
    const sigset_t set = signal_set(numbers);
    check(::sigprocmask(SIG_BLOCK, &set, nullptr), "sigprocmask");
}

/// Sleeps until one of these signals, which are held, has come, and takes it.
inline int wait_for_signal(std::initializer_list<int> numbers) {
    const sigset_t set = signal_set(numbers);
    int number = 0;
    if (const int error_number = ::sigwait(&set, &number); error_number != 0) {
        throw failed_call(error_number, "sigwait");
    }
    return number;
}

/// From now on they do again what they do to every process: they end it. One that waits does so at
/// once.
inline void release_signals(std::initializer_list<int> numbers) {
    const sigset_t set = signal_set(numbers);
    check(::sigprocmask(SIG_UNBLOCK, &set, nullptr), "sigprocmask");
}

/// Something that happens once, in one thread, and that coroutines of all threads can await
/// (eventfd(2)).
class Event {
public:
    /// Throws std::system_error.
    Event() : fd_(check(::eventfd(0, EFD_CLOEXEC), "eventfd")) {}

    /// It happens now. Nobody reads the number, so whoever looks later sees it, too.
    void happen() const { check(::eventfd_write(fd_.get(), 1), "eventfd_write"); }

    int get() const { return fd_.get(); }

private:
    Fd fd_;
};

/// `co_await HasHappened(io, event)` goes on when the event has happened.
class [[nodiscard]] HasHappened : public Operation {
public:
    HasHappened(IoContext& io, const Event& event)
        : Operation(io, pending_, std::nullopt, {}), fd_(event.get()) {}

    void await_resume() const { count("poll"); }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_poll_add(&entry, fd_, POLLIN); }

    const int fd_;
    Wait* pending_ = nullptr;
};
