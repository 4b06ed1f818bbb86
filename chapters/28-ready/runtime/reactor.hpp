// A reactor: it knows which descriptor is ready and whom to resume, and nothing of what follows.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
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

/// What a suspended coroutine waits for. It lies in the coroutine's frame.
class Waiter {
public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    void resume_later(std::coroutine_handle<> frame) noexcept { frame_ = frame; }
    void resume() const { frame_.resume(); }

    /// In a turn: has it come, so that the coroutine goes on?
    virtual bool is_done() { return true; }

protected:
    ~Waiter() = default;

private:
    std::coroutine_handle<> frame_;
};

/// What is known of a descriptor.
struct Watched {
    Waiter* waiting = nullptr;  ///< who waits for a turn of it; null is nobody
    bool has_input = false;     ///< an event has come, and no call has found that nothing is left
    bool has_mark = false;      ///< the end of the input has come, or urgent data
};

/// Resumes the coroutine that waits for a descriptor that is ready: an event loop on epoll(7),
/// edge-triggered, for one thread.
class Reactor {
public:
    Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

    /// Destroys the tasks that have been started and have not ended, where they are suspended.
    ~Reactor();

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task<> task);

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

    /// Has `waiter` wait for a turn of the descriptor. One at a time can.
    void wait(int fd, Waiter& waiter, Next next) noexcept {
        watched_.at(fd).waiting = &waiter;
        ready_.wait(fd, next);
    }

    /// Whether the coroutine that has its turn may take one step more.
    bool spend_step() noexcept { return --steps_left_ > 0; }

private:
    friend class WatchedFd;
    class Started;

    Started run_to_end(Task<> task);
    Watched& watch(const Fd& fd);
    void forget(const Fd& fd) { watched_.erase(fd.get()); }
    void run_once();
    void take_events();

    static constexpr int events_at_once = 64;
    static constexpr int steps_at_once = 8;

    Fd epoll_;
    ReadyQueue ready_;
    std::unordered_map<int, Watched> watched_;  // by descriptor
    int steps_left_ = steps_at_once;            // of this turn
    std::unordered_set<void*> started_;         // the frames of the tasks that have not ended
    std::exception_ptr failure_;
};

/// The outermost coroutine of a task that was started: its frame is freed when it ends.
class Reactor::Started {
public:
    class promise_type {
    public:
        promise_type(Reactor& reactor, const Task<>&) : reactor_(reactor) {
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

inline Reactor::Started Reactor::run_to_end(Task<> task) {
    steps_left_ = steps_at_once;
    co_await task;
}

/// What is begun here has a turn of its own, within the turn of the coroutine that begins it.
inline void Reactor::start(Task<> task) {
    const int steps_left = steps_left_;
    run_to_end(std::move(task));
    steps_left_ = steps_left;
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
inline Watched& Reactor::watch(const Fd& fd) {
    ready_.make_room(fd.get());
    const auto [entry, is_new] = watched_.try_emplace(fd.get());
    assert(is_new);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    event.data.fd = fd.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == -1) {
        const int error = errno;  // erase() may change it.
        watched_.erase(entry);
        throw failed_call(error, "epoll_ctl");
    }
    return entry->second;
}

/// Sleeps until a descriptor is ready, unless one is so already, and gives each coroutine that
/// waits for such a one a turn.
inline void Reactor::run_once() {
    take_events();
    ready_.begin_round();
    while (const std::optional<int> fd = ready_.next()) {
        const auto entry = watched_.find(*fd);
        steps_left_ = steps_at_once;
        if (entry != watched_.end() && entry->second.waiting && entry->second.waiting->is_done()) {
            std::exchange(entry->second.waiting, nullptr)->resume();
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
            Watched& watched = watched_.at(event.data.fd);
            watched.has_input = watched.has_input || (event.events & ~std::uint32_t{EPOLLOUT}) != 0;
            if ((event.events & ~std::uint32_t{EPOLLIN | EPOLLOUT}) != 0) {
                watched.has_mark = true;
            }
            ready_.add(event.data.fd);
        }
        timeout = 0;
    } while (count == events_at_once);
}
