// A coroutine that nobody holds: it belongs to the one it waits for.
#pragma once

#include <coroutine>

/// What a coroutine returns that nobody holds: it begins at once, belongs to the one it waits for
/// while it waits, and frees its frame at its end. What it throws after its first co_await leaves
/// the call that has resumed it, whose duty it is then to free the frame.
struct Coroutine {
    struct promise_type {
        Coroutine get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() { throw; }
    };
};
