// Tasks that run beside each other, and their owner.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <unordered_set>
#include <utility>

#include "queue.hpp"
#include "task.hpp"
#include "waiter.hpp"

/// Owns tasks, and can be waited for: nothing that is started here outlives the group.
class TaskGroup {
public:
    class Below;

    /// Coroutines that have waited for tasks are put into `ready`, what a task throws into
    /// `failure`.
    TaskGroup(Queue<Waiter>& ready, std::exception_ptr& failure)
        : ready_(ready), failure_(failure) {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    ~TaskGroup() { clear(); }

    /// Begins a task, and owns it until it has ended.
    void start(Task<> task);

    /// How many tasks have not ended.
    std::size_t size() const noexcept { return frames_.size(); }

    /// `co_await group.below(count)` goes on when fewer than `count` tasks have not ended. Before
    /// it has its turn, others may have started some.
    Below below(std::size_t count) noexcept;

    /// Ends the tasks that have not ended: they are destroyed where they are suspended.
    void clear() noexcept;

private:
    class Started;

    Started run_to_end(Task<> task);
    void wake() noexcept;

    Queue<Waiter>& ready_;
    std::unordered_set<void*> frames_;  // of the tasks that have not ended
    Queue<Below> waiting_;
    std::exception_ptr& failure_;
};

/// What TaskGroup::below() returns.
class [[nodiscard]] TaskGroup::Below : public Waiter {
public:
    Below(TaskGroup& group, std::size_t count) : group_(group), count_(count) {}

    bool await_ready() const noexcept { return group_.size() < count_; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        group_.waiting_.push(*this);
    }

    void await_resume() const noexcept {}

private:
    TaskGroup& group_;
    const std::size_t count_;
};

inline TaskGroup::Below TaskGroup::below(std::size_t count) noexcept {
    return {*this, count};
}

/// A task has ended: gives a turn to whoever has waited for it.
inline void TaskGroup::wake() noexcept {
    Queue<Below> asked;
    asked.take_all_of(waiting_);
    while (!asked.empty()) {
        Below& below = asked.pop();
        if (below.await_ready()) {
            ready_.push(below);
        } else {
            waiting_.push(below);
        }
    }
}

/// The outermost coroutine of a task that was started: its frame is freed when it ends.
class TaskGroup::Started {
public:
    class promise_type {
    public:
        promise_type(TaskGroup& group, const Task<>&) : group_(group) {
            group_.frames_.insert(frame());
        }
        ~promise_type() {
            group_.frames_.erase(frame());
            group_.wake();
        }

        Started get_return_object() const noexcept { return {}; }
        std::suspend_never initial_suspend() const noexcept { return {}; }
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { group_.failure_ = std::current_exception(); }

    private:
        void* frame() { return std::coroutine_handle<promise_type>::from_promise(*this).address(); }

        TaskGroup& group_;
    };
};

inline TaskGroup::Started TaskGroup::run_to_end(Task<> task) {
    co_await task;
}

inline void TaskGroup::start(Task<> task) {
    run_to_end(std::move(task));
}

inline void TaskGroup::clear() noexcept {
    while (!frames_.empty()) {
        std::coroutine_handle<>::from_address(*frames_.begin()).destroy();
    }
}
