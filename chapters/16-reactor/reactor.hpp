// A reactor: it knows which descriptor is ready and whom to call, and nothing of what happens then.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fd.hpp"

/// What a callback answers at the end of its turn: when it is to be called again.
enum class Next {
    event,  ///< when something has changed: a call has failed with EAGAIN
    turn,   ///< after the others have had their turn: there may be more to do
    pause,  ///< after a while: it cannot go on, and no event will tell when it can
    end,    ///< never
};

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
    /// Next::end. The reactor then destroys the callback, and with it what the callback owns: the
    /// descriptor, if that is the way of it. Throws std::system_error, and has not kept the
    /// callback, when epoll cannot take the descriptor.
    void watch(const Fd& fd, Callback callback);

    /// Sleeps until a descriptor is ready, unless one is so already, and gives the callback of each
    /// that is one turn. Callbacks may call watch(). They should not throw: when an exception
    /// leaves run_once(), the callbacks that were still to have their turn are forgotten.
    void run_once();

private:
    struct Watched {
        Callback callback;
        bool is_ready = false;  ///< is in ready_ or in paused_, or has its turn
    };

    void make_room();
    void take_events();

    static constexpr int events_at_once = 64;
    static constexpr int pause_ms = 100;

    Fd epoll_;
    std::unordered_map<int, Watched> watched_;  // by descriptor
    std::vector<int> ready_;                    // the descriptors that are to have a turn
    std::vector<int> turn_;                     // those that have theirs now
    std::vector<int> paused_;                   // that answered Next::pause in the last round
};

inline void Reactor::watch(const Fd& fd, Callback callback) {
    make_room();
    const auto [entry, is_new] = watched_.try_emplace(fd.get(), Watched{std::move(callback)});
    assert(is_new);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == -1) {
        const std::system_error failure = failed_call(errno, "epoll_ctl");
        watched_.erase(entry);
        throw failure;
    }
}

/// Makes room in every list for one more descriptor, so that to put it there never needs memory
/// that there may not be.
inline void Reactor::make_room() {
    for (std::vector<int>* list : {&ready_, &turn_, &paused_}) {
        if (list->capacity() <= watched_.size()) {
            list->reserve(2 * watched_.size() + 1);
        }
    }
}

inline void Reactor::run_once() {
    take_events();
    turn_.clear();
    turn_.swap(ready_);
    for (std::size_t i = 0; i < turn_.size(); ++i) {  // A callback may call watch(), and move it.
        const int fd = turn_[i];
        Watched& watched = watched_.at(fd);
        switch (watched.callback()) {
            case Next::event: watched.is_ready = false; break;
            case Next::turn: ready_.push_back(fd); break;
            case Next::pause: paused_.push_back(fd); break;
            case Next::end: watched_.erase(fd); break;
        }
    }
}

/// Notes which descriptors have become ready.
inline void Reactor::take_events() {
    int timeout = 0;
    if (ready_.empty()) {
        timeout = paused_.empty() ? -1 : pause_ms;
    }
    std::array<epoll_event, events_at_once> events;
    int count = 0;
    // All there are: or else a client behind a crowd in epoll's list would wait for several rounds.
    do {
        count = ::epoll_wait(epoll_.get(), events.data(), events_at_once, timeout);
        if (count == -1 && errno != EINTR) {
            throw failed_call(errno, "epoll_wait");
        }
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (!std::exchange(watched_.at(fd).is_ready, true)) {
                ready_.push_back(fd);
            }
        }
        timeout = 0;
    } while (count == events_at_once);
    // Something has changed, or the time is over.
    ready_.insert(ready_.end(), paused_.begin(), paused_.end());
    paused_.clear();
}
