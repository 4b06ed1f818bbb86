// Signals that wait until the process takes them.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>

#include "check.hpp"
#include "event.hpp"
#include "fd.hpp"

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

/// Sleeps until one of the signals that are held has come, and takes it; or until the event has
/// happened.
inline void wait_for_signal(const Fd& signals, const Event& event) noexcept {
    std::array<pollfd, 2> watched{{{signals.get(), POLLIN, 0}, {event.fd().get(), POLLIN, 0}}};
    while (::poll(watched.data(), watched.size(), -1) == -1 && errno == EINTR) {
    }
    signalfd_siginfo signal{};
    [[maybe_unused]] const ssize_t taken = ::read(signals.get(), &signal, sizeof signal);
}
