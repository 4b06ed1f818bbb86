// A coroutine that waits.
#pragma once

#include <coroutine>

#include "queue.hpp"

/// What a suspended coroutine waits for. It lies in the coroutine's frame.
class Waiter : public Linked {
public:
    void resume_later(std::coroutine_handle<> frame) noexcept { frame_ = frame; }
    void resume() const { frame_.resume(); }

protected:
    ~Waiter() = default;

private:
    std::coroutine_handle<> frame_;
};
