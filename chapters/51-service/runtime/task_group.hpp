// Tasks that run beside each other, and their owner.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include "queue.hpp"
#include "task.hpp"
#include "waiter.hpp"

/// Owns tasks, and can be waited for: nothing that is started here outlives the group.
class TaskGroup {
public:
    class Below;

    /// A coroutine that returns it runs in the group that is its first argument: it begins at once,
    /// and the group owns it until it has ended.
    class Member {
    public:
        class promise_type;
    };

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
    std::size_t size() const noexcept { return size_; }

    /// `co_await group.below(count)` goes on when fewer than `count` tasks have not ended. Before
    /// it has its turn, others may have started some.
    Below below(std::size_t count) noexcept;

    /// Ends the tasks that have not ended: they are destroyed where they are suspended.
    void clear() noexcept;

private:
    static Member run_to_end(TaskGroup&, Task<> task);
    void wake() noexcept;

    Queue<Waiter>& ready_;
    Queue<Member::promise_type> members_;
    std::size_t size_ = 0;
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

/// A frame that is freed when its coroutine ends.
class TaskGroup::Member::promise_type : public Linked {
public:
    explicit promise_type(TaskGroup& group, const auto&...) : group_(group) {
        group_.members_.push(*this);
        ++group_.size_;
    }
    ~promise_type() {
        --group_.size_;
        group_.wake();
    }

    Member get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { group_.failure_ = std::current_exception(); }

private:
    TaskGroup& group_;
};

inline TaskGroup::Member TaskGroup::run_to_end(TaskGroup&, Task<> task) {
    co_await task;
}

inline void TaskGroup::start(Task<> task) {
    run_to_end(*this, std::move(task));
}

inline void TaskGroup::clear() noexcept {
    using Frame = std::coroutine_handle<Member::promise_type>;
    while (Member::promise_type* const first = members_.first()) {
        Frame::from_promise(*first).destroy();
    }
}
