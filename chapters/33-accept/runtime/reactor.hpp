// A loop: it knows which descriptor is ready, what time it is, and whom to resume.
#pragma once

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "check.hpp"
#include "fd.hpp"
#include "queue.hpp"
#include "ring.hpp"
#include "task.hpp"
#include "waiter.hpp"

/// What is known of a descriptor.
struct Watched {
    Queue<Waiter> waiting;   ///< who waits for an event
    bool has_input = false;  ///< an event has come, and no call has found that nothing is left
    bool has_mark = false;   ///< the end of the input has come, or urgent data
};

/// Resumes the coroutine that waits for a descriptor that is ready, or for a time that has come: an
/// event loop on epoll(7), edge-triggered, for one thread.
class Reactor {
public:
    Reactor();

    /// Destroys the tasks that have been started and have not ended, where they are suspended.
    ~Reactor();

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task<> task);

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

    /// `co_await reactor.sleep_for(time)` goes on after the time, or a little later. It needs no
    /// memory, so it cannot fail.
    auto sleep_for(std::chrono::milliseconds time);

    /// Gives `waiter` a turn, after all who are to have one already.
    void give_turn(Waiter& waiter) noexcept { ready_.push(waiter); }

    /// The kernel does what `submission` describes, and then `submission` has a turn.
    void submit(Submission& submission) noexcept { ring_.add(submission); }

    /// Returns when the kernel does nothing for `submission` any more.
    void let_go(Submission& submission) noexcept { ring_.let_go(submission, ready_); }

    /// Whether the coroutine that has its turn may take one step more.
    bool spend_step() noexcept { return --steps_left_ > 0; }

private:
    friend class WatchedFd;
    using Clock = std::chrono::steady_clock;
    class Started;
    class Sleep;

    Started run_to_end(Task<> task);
    Watched& watch(const Fd& fd);
    void forget(const Fd& fd) { watched_.erase(fd.get()); }
    void run_once();
    int wait_ms() const;
    void take_events();
    void give_turns();
    void wake_sleepers();

    static constexpr int events_at_once = 64;
    static constexpr int steps_at_once = 8;

    Fd epoll_;
    Ring ring_;
    Queue<Waiter> ready_;                       // who is to have a turn
    std::unordered_map<int, Watched> watched_;  // by descriptor
    int steps_left_ = steps_at_once;            // of this turn
    Sleep* sleeping_ = nullptr;                 // whose time comes first
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

inline Reactor::Reactor() : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = ring_.fd();
    check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ring_.fd(), &event), "epoll_ctl");
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

/// Sleeps until a descriptor is ready or a time has come, unless one is so already, and gives each
/// coroutine that waits for such a one a turn.
inline void Reactor::run_once() {
    ring_.submit();
    take_events();
    wake_sleepers();
    give_turns();
    ring_.submit();  // Most of what the turns have put in line is done at once, and goes on.
    ring_.take_completions(ready_);
    give_turns();
}

inline void Reactor::give_turns() {
    Queue<Waiter> round;
    round.take_all_of(ready_);
    while (!round.empty()) {
        Waiter& waiter = round.pop();
        steps_left_ = steps_at_once;
        if (waiter.is_done()) {
            waiter.resume();
        }
    }
}

class [[nodiscard]] Reactor::Sleep {
public:
    Sleep(Reactor& reactor, std::chrono::milliseconds time)
        : reactor_(reactor), end_(end_of(time)) {}

    bool await_ready() const noexcept { return false; }

    /// Stands in line behind those whose time comes earlier. The line goes through their frames.
    void await_suspend(std::coroutine_handle<> frame) noexcept {
        frame_ = frame;
        Sleep** place = &reactor_.sleeping_;
        while (*place && (*place)->end_ <= end_) {
            place = &(*place)->next_;
        }
        next_ = std::exchange(*place, this);
    }

    void await_resume() const noexcept {}

private:
    friend class Reactor;

    /// When the time is over. Who sleeps longer than the clock can count, sleeps as long as it can.
    static Clock::time_point end_of(std::chrono::milliseconds time) {
        using std::chrono::milliseconds;
        const Clock::time_point now = Clock::now();
        const auto longest = std::chrono::floor<milliseconds>(Clock::time_point::max() - now);
        return now + std::clamp(time, milliseconds{0}, longest);
    }

    Reactor& reactor_;
    const Clock::time_point end_;
    std::coroutine_handle<> frame_;
    Sleep* next_ = nullptr;
};

inline auto Reactor::sleep_for(std::chrono::milliseconds time) {
    return Sleep(*this, time);
}

/// Gives a turn to each coroutine whose time has come.
inline void Reactor::wake_sleepers() {
    const Clock::time_point now = sleeping_ ? Clock::now() : Clock::time_point();
    while (sleeping_ && sleeping_->end_ <= now) {
        steps_left_ = steps_at_once;
        std::exchange(sleeping_, sleeping_->next_)->frame_.resume();
    }
}

/// For how long epoll_wait() may sleep, in milliseconds; -1 is for ever.
inline int Reactor::wait_ms() const {
    if (!ready_.empty()) {
        return 0;
    }
    if (ring_.has_line()) {
        return 1;  // The kernel had no memory for it: then try again soon.
    }
    if (!sleeping_) {
        return -1;
    }
    using std::chrono::milliseconds;
    const auto left = std::chrono::ceil<milliseconds>(sleeping_->end_ - Clock::now());
    constexpr milliseconds longest{std::numeric_limits<int>::max()};
    return static_cast<int>(std::clamp(left, milliseconds{0}, longest).count());
}

/// Notes which descriptors have become ready. Sleeps until one does, or somebody's time has come,
/// unless a descriptor is queued already.
inline void Reactor::take_events() {
    int timeout = wait_ms();
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
            if (event.data.fd == ring_.fd()) {
                ring_.take_completions(ready_);
                continue;
            }
            Watched& watched = watched_.at(event.data.fd);
            watched.has_input = watched.has_input || (event.events & ~std::uint32_t{EPOLLOUT}) != 0;
            if ((event.events & ~std::uint32_t{EPOLLIN | EPOLLOUT}) != 0) {
                watched.has_mark = true;
            }
            ready_.take_all_of(watched.waiting);
        }
        timeout = 0;
    } while (count == events_at_once);
}
