// A coroutine that its caller does not hold: it belongs to the object that it waits for.
#pragma once

#include <coroutine>
#include <exception>

/// The return type of a coroutine that its caller does not hold. It begins at once. While it waits,
/// it belongs to the object that it waits for, and at its end it frees its own frame. No exception
/// may leave it.
struct Coroutine {
    struct promise_type {
        Coroutine get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};
