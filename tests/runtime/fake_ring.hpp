// A ring without a kernel, for tests of what lies above it.
#pragma once

#include <liburing.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

/// How the rings of this program are made; as the runtime makes them where it says nothing.
inline std::optional<unsigned> ring_flags;

/// How often `new` has been called so far, and how many of the next calls fail.
inline std::atomic<int> allocations_so_far = 0;
inline std::atomic<int> allocations_to_fail = 0;

/// While it lives, rings that are made are this one: liburing's functions that would call the
/// kernel come here (operations.cpp). What is handed over is noted, and the test says what comes of
/// it. One at a time.
class FakeRing {
public:
    FakeRing() { now = this; }
    FakeRing(const FakeRing&) = delete;
    FakeRing& operator=(const FakeRing&) = delete;
    ~FakeRing() { now = nullptr; }

    /// What has been handed over and not been completed, the oldest first.
    std::vector<io_uring_sqe> in_flight;

    /// Called where the thread would sleep. It completes something: or else nothing ever would.
    std::function<void()> when_asleep;

    /// What io_uring_enter answers, one after another, before it works again: negative error
    /// numbers.
    std::deque<int> refusals;

    /// The entry of the oldest operation of this kind in flight; there must be one.
    const io_uring_sqe& find(io_uring_op operation) const;

    /// How many operations of this kind are in flight.
    std::size_t count(io_uring_op operation) const;

    /// The operation with this user data is done, and comes to `result`. Where it was to take a
    /// buffer, and bytes have come, it has taken the first of those that are provided.
    void complete(std::uint64_t data, int result);

    /// The oldest operation of this kind is done, and comes to `result`.
    void complete(io_uring_op operation, int result) {
        complete(find(operation).user_data, result);
    }

    /// Whether a descriptor has something to read as soon as it is asked for.
    bool polls_are_ready = true;

    /// What the kernel answers when buffers are to be provided: 0, or a negative error number.
    int answer_to_buffers = 0;

    /// How many buffers are provided, and have not been taken.
    unsigned buffers() const;

    // What the library's functions do.
    void set_up(unsigned entries, io_uring& ring);
    void provide(const io_uring_buf_reg& buffers);
    int submit();
    int submit_and_wait(unsigned count);

    static inline FakeRing* now = nullptr;

private:
    static constexpr unsigned most = 1024;  // places of both queues

    io_uring* ring_ = nullptr;
    unsigned sq_head_ = 0;
    unsigned sq_tail_ = 0;
    unsigned cq_head_ = 0;
    unsigned cq_tail_ = 0;
    unsigned sq_flags_ = 0;
    unsigned cq_flags_ = 0;
    io_uring_buf_ring* buffers_ = nullptr;
    unsigned buffer_places_ = 0;
    std::uint16_t buffers_head_ = 0;
    std::array<io_uring_sqe, most> entries_{};
    std::array<io_uring_cqe, most> completions_{};
};
