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
#include <unordered_set>
#include <utility>

#include "check.hpp"
#include "fd.hpp"
#include "ready_queue.hpp"
#include "task.hpp"

/// Resumes the coroutine that waits for a descriptor that is ready: an event loop on epoll(7),
/// edge-triggered, for one thread.
class Reactor {
public:
    Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Destroys the tasks that have been started and have not ended, where they are suspended.
    ~Reactor();

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task task);

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

private:
    friend class WatchedFd;
    class Started;

    Started run_to_end(Task task);
    void watch(const Fd& fd);
    void forget(const Fd& fd) { waiting_.erase(fd.get()); }
    void run_once();
    void take_events();

    static constexpr int events_at_once = 64;
    static constexpr int steps_at_once = 4;

    Fd epoll_;
    ReadyQueue ready_;
    std::unordered_map<int, std::coroutine_handle<>> waiting_;  // by descriptor, or null
    int steps_left_ = steps_at_once;                            // of this turn
    std::unordered_set<void*> started_;  // the frames of the tasks that have not ended
    std::exception_ptr failure_;
};

/// The outermost coroutine of a task that was started: its frame is freed when it ends.
class Reactor::Started {
public:
    class promise_type {
    public:
        promise_type(Reactor& reactor, const Task&) : reactor_(reactor) {
            reactor_.started_.insert(frame());
        }
        ~promise_type() { reactor_.started_.erase(frame()); }

        Started get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { reactor_.failure_ = std::current_exception(); }

    private:
        void* frame() { return std::coroutine_handle<promise_type>::from_promise(*this).address(); }

        Reactor& reactor_;
    };
};

inline Reactor::Started Reactor::run_to_end(Task task) {
    co_await task;
}

inline void Reactor::start(Task task) {
    run_to_end(std::move(task));
}

inline Reactor::~Reactor() {
    while (!started_.empty()) {
        std::coroutine_handle<>::from_address(*started_.begin()).destroy();
    }
}

inline void Reactor::run() {
    while (!started_.empty() && !failure_) {
        run_once();
    }
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
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

/// Sleeps until a descriptor is ready, unless one is so already, and gives each coroutine that
/// waits for such a one a turn.
inline void Reactor::run_once() {
    take_events();
    ready_.begin_round();
    while (const std::optional<int> fd = ready_.next()) {
        const auto entry = waiting_.find(*fd);
        if (entry != waiting_.end() && entry->second) {
            steps_left_ = steps_at_once;
            std::exchange(entry->second, nullptr).resume();
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
