// A reactor: it knows which descriptor is ready and whom to call, and nothing of what happens then.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "check.hpp"
#include "fd.hpp"
#include "ready_queue.hpp"

/// Calls the callback of each descriptor that is ready: an event loop on epoll(7), edge-triggered,
/// for one thread.
class Reactor {
public:
    using Callback = std::function<Next()>;

    Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Calls `callback` when the descriptor becomes readable or writable, or is so already. An edge
    /// is reported once: the callback has to go on until a call fails with EAGAIN, in this turn or,
    /// by answering Next::turn, in later ones.
    ///
    /// The descriptor stays the caller's and must be open until the callback has answered
    /// Next::end. The reactor then destroys the callback, and with it what the callback owns, which
    /// may be the descriptor. Throws, and has not kept the callback, when epoll cannot take the
    /// descriptor (std::system_error) or there is no memory (std::bad_alloc).
    void watch(const Fd& fd, Callback callback);

    /// Sleeps until a descriptor is ready, unless one is so already, and gives the callback of each
    /// that is one turn. Callbacks may call watch(). They should not throw: when an exception
    /// leaves run_once(), the callback that has thrown and those that were still to have their turn
    /// are never called again.
    void run_once();

private:
    void take_events();

    static constexpr int events_at_once = 64;

    Fd epoll_;
    ReadyQueue ready_;
    std::unordered_map<int, Callback> callbacks_;  // by descriptor
};

inline void Reactor::watch(const Fd& fd, Callback callback) {
    ready_.make_room(fd.get());
    const auto [entry, is_new] = callbacks_.try_emplace(fd.get(), std::move(callback));
    assert(is_new);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == -1) {
        const int error = errno;  // erase() may change it.
        callbacks_.erase(entry);
        throw failed_call(error, "epoll_ctl");
    }
}

inline void Reactor::run_once() {
    take_events();
    ready_.begin_round();
    while (const std::optional<int> fd = ready_.next()) {
        const Next next = callbacks_.at(*fd)();
        ready_.end_turn(*fd, next);
        if (next == Next::end) {
            callbacks_.erase(*fd);
        }
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
