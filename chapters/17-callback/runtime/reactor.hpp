// A reactor: it knows which descriptor is ready, and nothing of what happens then.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

#include "check.hpp"
#include "fd.hpp"
#include "ready_queue.hpp"

/// An event loop on epoll(7), edge-triggered, for one thread.
class Reactor {
public:
    Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Gives the descriptor a turn when it becomes readable or writable, or is so already. An edge
    /// is reported once: turns have to go on until a call fails with EAGAIN. The descriptor must be
    /// open until the turn that answers Next::end.
    void watch(const Fd& fd);

    /// Sleeps until a descriptor is ready, unless one is so already, and calls `callback(fd)` once
    /// for each that is: its turn, which answers with a Next. It may call watch(). It should not
    /// throw: the descriptor that had the turn and those behind it would have none again.
    template <typename Callback>
    void run_once(Callback callback);

private:
    void take_events();

    static constexpr int events_at_once = 64;

    Fd epoll_;
    ReadyQueue ready_;
};

inline void Reactor::watch(const Fd& fd) {
    ready_.make_room(fd.get());
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd.get();
    check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event), "epoll_ctl");
}

template <typename Callback>
void Reactor::run_once(Callback callback) {
    take_events();
    ready_.begin_round();
    while (const std::optional<int> fd = ready_.next()) {
        ready_.end_turn(*fd, callback(*fd));
    }
}

/// Notes which descriptors have become ready. Sleeps until one does, unless one is queued already.
inline void Reactor::take_events() {
    int timeout = ready_.timeout_ms();
    std::array<epoll_event, events_at_once> events;
    int count = 0;
    // All there are: or else a client behind a crowd in epoll's list would wait for several rounds.
    do {
        count = ::epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        if (count == -1 && errno == EINTR) {
            return;
        }
        check(count, "epoll_wait");

        for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(count))) {
            ready_.add(event.data.fd);
        }
        timeout = 0;
    } while (count == events_at_once);
}
