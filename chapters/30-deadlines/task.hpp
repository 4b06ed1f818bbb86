// Task: a coroutine that another coroutine awaits.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

template <typename T>
class Task;

/// What the promises of all tasks have in common: who goes on when the task has ended, and the
/// exception that has ended it.
class TaskPromiseBase {
public:
    /// A task begins when it is awaited, not when it is called.
    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// At its end a task hands over to whoever awaits it, and its frame stays: the result is in it.
    auto final_suspend() const noexcept { return HandOver{}; }

    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

    void set_awaiting(std::coroutine_handle<> awaiting) { awaiting_ = awaiting; }

protected:
    void rethrow_exception() const {
        if (exception_) {
            std::rethrow_exception(exception_);
        }
    }

private:
    struct HandOver {
        bool await_ready() const noexcept { return false; }

        /// Symmetric transfer: returning the handle goes over to it instead of calling it, so that
        /// the stack does not grow.
        template <typename Promise>
        std::coroutine_handle<> await_suspend(
            std::coroutine_handle<Promise> finished) const noexcept {
            return finished.promise().awaiting_;
        }

        void await_resume() const noexcept {}
    };

    std::coroutine_handle<> awaiting_;
    std::exception_ptr exception_;
};

/// The promise of a task with a result.
template <typename T>
class TaskPromise : public TaskPromiseBase {
public:
    Task<T> get_return_object();

    void return_value(T value) { value_.emplace(std::move(value)); }

    T result() {
        rethrow_exception();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

/// The promise of a task without one.
template <>
class TaskPromise<void> : public TaskPromiseBase {
public:
    Task<void> get_return_object();

    void return_void() const noexcept {}

    void result() const { rethrow_exception(); }
};

/// A coroutine that is awaited once, and whose result or exception is that of `co_await`. Owns the
/// frame: where the task is destroyed, the frame is, with all its locals, wherever it is suspended.
template <typename T = void>
class [[nodiscard]] Task {
public:
    using promise_type = TaskPromise<T>;

    explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Task& operator=(Task&&) = delete;

    ~Task() {
        if (frame_) {
            frame_.destroy();
        }
    }

    /// `co_await task` begins the task, and goes on when it has ended.
    auto operator co_await() const noexcept {
        assert(frame_ && !frame_.done());
        return Awaiter{frame_};
    }

private:
    class Awaiter {
    public:
        explicit Awaiter(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

        bool await_ready() const noexcept { return false; }

        /// Symmetric transfer again: goes over to the task.
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
            frame_.promise().set_awaiting(awaiting);
            return frame_;
        }

        T await_resume() const { return frame_.promise().result(); }

    private:
        std::coroutine_handle<promise_type> frame_;
    };

    std::coroutine_handle<promise_type> frame_;
};

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
