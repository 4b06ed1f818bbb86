// Signals that a coroutine can await.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

#include "check.hpp"
#include "fd.hpp"
#include "operation.hpp"
#include "reactor.hpp"

inline sigset_t signal_set(std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) {
        ::sigaddset(&set, number);
    }
    return set;
}

/// From now on these signals do nothing to this thread, and to those that it starts: they wait to
/// be read from the descriptor that is returned (signalfd(2)). Those that are ignored stay so,
/// since whoever has started the program wants that (nohup(1)). Throws std::system_error.
inline Fd hold_signals(std::initializer_list<int> numbers) {
    sigset_t set = signal_set(numbers);
    for (const int number : numbers) {
        struct sigaction action {};
        check(::sigaction(number, nullptr, &action), "sigaction");
        if (action.sa_handler == SIG_IGN) {
            ::sigdelset(&set, number);
        }
    }
    check(::sigprocmask(SIG_BLOCK, &set, nullptr), "sigprocmask");
    return Fd{check(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd")};
}

/// From now on they do again what they do to every process: they end it. One that waits does so at
/// once.
inline void release_signals(std::initializer_list<int> numbers) {
    const sigset_t set = signal_set(numbers);
    check(::sigprocmask(SIG_UNBLOCK, &set, nullptr), "sigprocmask");
}

/// What Signals::next() returns. The ring waits until there is something to read, as epoll would:
/// a signal is taken only by a coroutine that gets it.
class [[nodiscard]] NextSignal : public Operation {
public:
    NextSignal(Reactor& reactor, Slot& slot, const Fd& signals)
        : Operation(reactor, slot, signals) {}

    int await_resume() const {
        count("poll");
        signalfd_siginfo signal{};
        check(::read(fd(), &signal, sizeof signal), "read from signalfd");
        return static_cast<int>(signal.ssi_signo);
    }

private:
    void describe(io_uring_sqe& entry) override { ::io_uring_prep_poll_add(&entry, fd(), POLLIN); }
};

/// A descriptor from hold_signals() on which a signal can be awaited.
class Signals {
public:
    Signals(Reactor& reactor, Fd fd) : reactor_(reactor), fd_(std::move(fd)) {}

    /// `co_await signals.next()`: the number of the next signal. Throws std::system_error.
    NextSignal next() { return {reactor_, waiting_, fd_}; }

private:
    Reactor& reactor_;
    Fd fd_;
    Slot waiting_;
};
