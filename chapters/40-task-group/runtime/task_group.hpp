// Tasks that run beside each other, and their owner.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <unordered_set>
#include <utility>

#include "task.hpp"

/// Owns tasks: nothing that is started here outlives the group.
class TaskGroup {
public:
    /// What a task throws is put into `failure`.
    explicit TaskGroup(std::exception_ptr& failure) : failure_(failure) {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    ~TaskGroup() { clear(); }

    /// Begins a task, and owns it until it has ended.
    void start(Task<> task);

    /// How many tasks have not ended.
    std::size_t size() const noexcept { return frames_.size(); }

    /// Ends the tasks that have not ended: they are destroyed where they are suspended.
    void clear() noexcept;

private:
    class Started;

    Started run_to_end(Task<> task);

    std::unordered_set<void*> frames_;  // of the tasks that have not ended
    std::exception_ptr& failure_;
};

/// The outermost coroutine of a task that was started: its frame is freed when it ends.
class TaskGroup::Started {
public:
    class promise_type {
    public:
        promise_type(TaskGroup& group, const Task<>&) : group_(group) {
            group_.frames_.insert(frame());
        }
        ~promise_type() { group_.frames_.erase(frame()); }

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
