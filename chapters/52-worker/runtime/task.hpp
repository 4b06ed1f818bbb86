// A coroutine that another coroutine awaits, as a function is called.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

/// What a coroutine may return, and where it lies until it is fetched.
template <typename T>
class TaskResult {
public:
    void return_value(T value) { value_.emplace(std::move(value)); }
    T take() { return std::move(*value_); }

private:
    std::optional<T> value_;
};

template <>
class TaskResult<void> {
public:
    void return_void() const noexcept {}
    void take() const noexcept {}
};

/// A coroutine that is awaited once: it begins then, and what it returns or throws comes out of
/// `co_await`. Owns the frame: where the task is destroyed, the frame is, with all its local
/// variables, wherever it is suspended.
template <typename T = void>
class [[nodiscard]] Task {
public:
    class promise_type;
    class Awaiter;

    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (frame_) {
            frame_.destroy();
        }
    }

    /// `co_await task` begins the task, and goes on when it has ended.
    Awaiter operator co_await() const noexcept;

private:
    using Frame = std::coroutine_handle<promise_type>;

    explicit Task(Frame frame) : frame_(frame) {}

    Frame frame_;
};

template <typename T>
class Task<T>::promise_type : public TaskResult<T> {
public:
    Task get_return_object() noexcept { return Task(Frame::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }

    /// At its end a task hands over to the coroutine that awaits it, and its frame stays.
    auto final_suspend() const noexcept { return HandOver{}; }

    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

private:
    friend class Awaiter;

    struct HandOver {
        bool await_ready() const noexcept { return false; }

        /// Symmetric transfer: returning the handle goes over to it instead of calling it, so that
        /// the stack does not grow.
        std::coroutine_handle<> await_suspend(Frame finished) const noexcept {
            return finished.promise().awaiting_;
        }

        void await_resume() const noexcept {}
    };

    std::coroutine_handle<> awaiting_;
    std::exception_ptr exception_;
};

template <typename T>
class Task<T>::Awaiter {
public:
    explicit Awaiter(Frame frame) : frame_(frame) {}

    bool await_ready() const noexcept { return false; }

    /// Notes the awaiting coroutine, and goes over to the task: a symmetric transfer.
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        frame_.promise().awaiting_ = awaiting;
        return frame_;
    }

    T await_resume() const {
        if (frame_.promise().exception_) {
            std::rethrow_exception(frame_.promise().exception_);
        }
        return frame_.promise().take();
    }

private:
    Frame frame_;
};

template <typename T>
typename Task<T>::Awaiter Task<T>::operator co_await() const noexcept {
    assert(frame_ && !frame_.done());
    return Awaiter(frame_);
}
