// Deadlines: who is given the same time stands in one queue, and whoever comes last is due last.
#pragma once

#include <chrono>
#include <optional>

#include "queue.hpp"
#include "ring.hpp"

using Clock = std::chrono::steady_clock;

/// When an operation is cancelled. It lies in the operation, and leaves the queue with it.
class Expiry : public Linked {
public:
    explicit Expiry(Submission& operation) : operation_(operation) {}

    Submission& operation() const noexcept { return operation_; }

private:
    friend class Timeout;

    Submission& operation_;
    Clock::time_point time_;
};

/// A time that operations are given. Those that are given it stand in the order of their deadlines,
/// so that to join takes one step, and to find the first one another.
class Timeout : public Linked {
public:
    explicit Timeout(std::chrono::milliseconds time) : time_(time) {}

    /// From `now` on the operation has this time.
    void add(Expiry& expiry, Clock::time_point now) noexcept {
        expiry.time_ = now + time_;
        deadlines_.push(expiry);
    }

    /// The first deadline, or nothing where nobody has one.
    std::optional<Clock::time_point> first() const noexcept {
        const Expiry* const first = deadlines_.first();
        return first ? std::optional(first->time_) : std::nullopt;
    }

    /// Takes out the one whose deadline is the first. There must be one.
    Expiry& pop() noexcept { return deadlines_.pop(); }

private:
    const std::chrono::milliseconds time_;
    Queue<Expiry> deadlines_;
};
