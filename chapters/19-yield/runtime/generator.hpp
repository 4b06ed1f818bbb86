// A function that can be left in the middle, and entered again where it was left.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "ready_queue.hpp"

/// A coroutine that answers at the end of each of its turns when the next one is to be. Owns the
/// coroutine's frame: its parameters and local variables, from turn to turn.
class Generator {
public:
    struct promise_type;

    Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    Generator& operator=(Generator&&) = delete;
    ~Generator() {
        if (frame_) {
            frame_.destroy();
        }
    }

    /// Has the coroutine go on until it yields an answer, and returns it; Next::end when it has
    /// come to its end. Throws what leaves the coroutine, which has come to its end by that, too.
    /// From then on it must not be called any more.
    Next resume();

private:
    using Frame = std::coroutine_handle<promise_type>;

    explicit Generator(Frame frame) : frame_(frame) {}

    Frame frame_;
};

/// What the compiler asks of a Generator. It lies in the frame.
struct Generator::promise_type {
    Next answer = Next::end;
    std::exception_ptr failure;

    Generator get_return_object() { return Generator(Frame::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always yield_value(Next next) noexcept {
        answer = next;
        return {};
    }
    void return_void() noexcept { answer = Next::end; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }
    std::suspend_always final_suspend() noexcept { return {}; }
};

inline Next Generator::resume() {
    frame_.resume();
    if (frame_.promise().failure) {
        std::rethrow_exception(frame_.promise().failure);
    }
    return frame_.promise().answer;
}
