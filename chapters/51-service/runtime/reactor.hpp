// A loop: it knows what the kernel has done, what time it is, and whom to resume.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "buffer_pool.hpp"
#include "deadlines.hpp"
#include "queue.hpp"
#include "ring.hpp"
#include "task.hpp"
#include "task_group.hpp"
#include "waiter.hpp"

/// Resumes the coroutine whose operation the kernel has completed, or whose time has come: an event
/// loop on io_uring(7), for one thread.
class Reactor {
public:
    /// All clients together have so many buffers of that size.
    explicit Reactor(unsigned buffers = 64, std::size_t buffer_size = 64 * 1024)
        : pool_(ring_, buffers, buffer_size) {}

    BufferPool& pool() noexcept { return pool_; }

    /// Begins a task that nobody awaits, and owns it until it has ended.
    void start(Task<> task) { tasks_.start(std::move(task)); }

    /// A group of tasks that run here. What they throw, run() throws.
    TaskGroup group() noexcept { return {ready_, failure_}; }

    /// Runs until every task has ended. Throws what one of them has thrown; what is suspended then
    /// stays so.
    void run();

    /// `co_await reactor.sleep_for(time)` goes on after the time, or a little later. It needs no
    /// memory, so it cannot fail.
    auto sleep_for(std::chrono::milliseconds time);

    /// From now on operations can be given this time. The timeout stays the caller's.
    void add(Timeout& timeout) noexcept { timeouts_.push(timeout); }

    /// When the kernel was last asked.
    Clock::time_point now() const noexcept { return now_; }

    /// Gives `waiter` a turn, after all who are to have one already.
    void give_turn(Waiter& waiter) noexcept { ready_.push(waiter); }

    /// The kernel does what `submission` describes, and then `submission` has a turn.
    void submit(Submission& submission) noexcept { ring_.add(submission); }

    /// Ends `submission` with -error_number. A result that the kernel has by then wins.
    void cancel(Submission& submission, int error_number) noexcept {
        ring_.cancel(submission, error_number, ready_);
    }

    /// Returns when the kernel does nothing for `submission` any more.
    void let_go(Submission& submission) noexcept { ring_.let_go(submission, ready_); }

private:
    class Sleep;

    void run_once();
    std::optional<Clock::duration> time_left() const;
    void cancel_late();
    void wake_sleepers();

    Ring ring_;
    BufferPool pool_;
    Queue<Waiter> ready_;  // who is to have a turn
    Queue<Timeout> timeouts_;
    Clock::time_point now_ = Clock::now();
    Sleep* sleeping_ = nullptr;  // whose time comes first
    std::exception_ptr failure_;
    TaskGroup tasks_{ready_, failure_};  // the first to be destroyed
};

inline void Reactor::run() {
    while (tasks_.size() > 0 && !failure_) {
        run_once();
    }
    if (failure_) {
        std::rethrow_exception(std::exchange(failure_, nullptr));
    }
}

/// Sleeps until something has been completed or a time has come, and gives each coroutine that
/// waits for it a turn.
inline void Reactor::run_once() {
    pool_.feed(ring_);
    ring_.submit_and_wait(time_left());
    now_ = Clock::now();
    ring_.take_completions(ready_);
    cancel_late();
    wake_sleepers();
    Queue<Waiter> round;
    round.take_all_of(ready_);
    while (!round.empty()) {
        round.pop().resume();
    }
}

class [[nodiscard]] Reactor::Sleep {
public:
    Sleep(Reactor& reactor, std::chrono::milliseconds time)
        : reactor_(reactor), end_(end_of(time)) {}

    /// A coroutine can be destroyed while it sleeps: then it leaves the line.
    ~Sleep() {
        Sleep** place = &reactor_.sleeping_;
        while (*place && *place != this) {
            place = &(*place)->next_;
        }
        *place = *place ? next_ : nullptr;
    }

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

/// Cancels the operations whose deadline has come. What has been completed by now has its result.
inline void Reactor::cancel_late() {
    for (Timeout* timeout = timeouts_.first(); timeout; timeout = timeouts_.next(*timeout)) {
        while (timeout->first() && *timeout->first() <= now_) {
            cancel(timeout->pop().operation(), ETIMEDOUT);
        }
    }
}

/// Gives a turn to each coroutine whose time has come.
inline void Reactor::wake_sleepers() {
    while (sleeping_ && sleeping_->end_ <= now_) {
        std::exchange(sleeping_, sleeping_->next_)->frame_.resume();
    }
}

/// For how long the thread may sleep; nothing is for ever.
inline std::optional<Clock::duration> Reactor::time_left() const {
    if (!ready_.empty() || pool_.can_feed()) {
        return Clock::duration::zero();
    }
    std::optional<Clock::time_point> first;
    if (sleeping_) {
        first = sleeping_->end_;
    }
    for (Timeout* timeout = timeouts_.first(); timeout; timeout = timeouts_.next(*timeout)) {
        if (timeout->first() && (!first || *timeout->first() < *first)) {
            first = timeout->first();
        }
    }
    if (!first) {
        return std::nullopt;
    }
    // A day at the most: the kernel adds it to its clock, where a sum may have no room.
    return std::clamp<Clock::duration>(*first - Clock::now(), Clock::duration::zero(),
                                       std::chrono::hours{24});
}
