// How many clients are served at a time, over all threads.
#pragma once

#include <atomic>
#include <utility>

/// The one number that threads share.
class ClientLimit {
public:
    explicit ClientLimit(int most) : free_(most) {}

    /// Whether there was a place; it is taken then.
    bool take() noexcept {
        int free = free_.load(std::memory_order_relaxed);
        while (free > 0 && !free_.compare_exchange_weak(free, free - 1)) {
        }
        return free > 0;
    }

    void give_back() noexcept { ++free_; }

private:
    std::atomic<int> free_;
};

/// A place that has been taken. Its end gives it back.
class Permit {
public:
    explicit Permit(ClientLimit& limit) noexcept : limit_(&limit) {}
    Permit(Permit&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)) {}
    Permit& operator=(Permit&&) = delete;

    ~Permit() {
        if (limit_) {
            limit_->give_back();
        }
    }

private:
    ClientLimit* limit_;
};
