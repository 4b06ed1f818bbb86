// A reactor: it knows which descriptor is ready and whom to resume, and nothing of what follows.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "check.hpp"
#include "coroutine.hpp"
#include "fd.hpp"
#include "ready_queue.hpp"

/// Resumes the coroutine that waits for a descriptor that is ready: an event loop on epoll(7),
/// edge-triggered, for one thread.
class Reactor {
public:
    Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Destroys the coroutines that wait.
    ~Reactor();

    /// Sleeps until a descriptor is ready, unless one is so already, and gives each coroutine that
    /// waits for such a one a turn. Throws what leaves a coroutine; those that were still to have
    /// their turn in this round are not resumed any more, and end with the reactor.
    void run_once();

private:
    friend class WatchedFd;

    void watch(const Fd& fd);
    void forget(const Fd& fd);
    void resume(std::coroutine_handle<> frame);
    void take_events();

    static constexpr int events_at_once = 64;
    static constexpr int steps_at_once = 4;

    Fd epoll_;
    ReadyQueue ready_;
    std::unordered_map<int, std::coroutine_handle<>> waiting_;  // by descriptor, or null
    int steps_left_ = steps_at_once;                            // of this turn
};

inline Reactor::~Reactor() {
    // In a frame there are WatchedFds, which call forget(): it has to find an empty table.
    for (const auto& [fd, frame] : std::exchange(waiting_, {})) {
        if (frame) {
            frame.destroy();
        }
    }
}

/// Events of the descriptor come from now on.
inline void Reactor::watch(const Fd& fd) {
    ready_.make_room(fd.get());
    const auto [entry, is_new] = waiting_.try_emplace(fd.get());
    assert(is_new);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == -1) {
        const int error = errno;  // erase() may change it.
        waiting_.erase(entry);
        throw failed_call(error, "epoll_ctl");
    }
}

/// The descriptor is about to be closed. Destroys the coroutine that waits for it.
inline void Reactor::forget(const Fd& fd) {
    const auto entry = waiting_.extract(fd.get());
    if (entry && entry.mapped()) {
        entry.mapped().destroy();
    }
}

inline void Reactor::run_once() {
    take_events();
    ready_.begin_round();
    while (const std::optional<int> fd = ready_.next()) {
        const auto entry = waiting_.find(*fd);
        if (entry != waiting_.end() && entry->second) {
            resume(std::exchange(entry->second, nullptr));
        }
    }
}

/// The coroutine goes on until it waits again, or has ended.
inline void Reactor::resume(std::coroutine_handle<> frame) {
    steps_left_ = steps_at_once;
    frame.resume();
    if (Coroutine::failure) {
        std::rethrow_exception(std::exchange(Coroutine::failure, nullptr));
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
