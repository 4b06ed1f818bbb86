// Two rings in memory that the kernel sees, too: entries go in, and completions come out.
#pragma once

#include <liburing.h>
#include <sanitizer/asan_interface.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>

#include "check.hpp"
#include "program.hpp"
#include "queue.hpp"
#include "ring_setup.hpp"
#include "waiter.hpp"

/// What the kernel is to do. While it is handed over and not completed, the kernel has its
/// address, and that of the memory which it works on. Before it ends, the ring has to let go of it.
class Submission : public Waiter {
public:
    /// Fills in what the kernel is to do.
    virtual void describe(io_uring_sqe& entry) = 0;

    /// What the system call would have returned, or the negative error number.
    int result() const noexcept { return result_; }

    /// The kernel has done it, with this result, which it may change. The queue in which it stands
    /// to be handed over again, or null: it is over.
    virtual Queue<Submission>* queue_after(int& result, Queue<Submission>& line) noexcept {
        // A signal came first, or the kernel did not wait: ask again.
        return result == -EINTR || result == -EAGAIN ? &line : nullptr;
    }

protected:
    /// The buffer that the kernel has taken from the pool for it, if it has.
    std::optional<unsigned> buffer() const noexcept {
        return (flags_ & IORING_CQE_F_BUFFER) != 0
                   ? std::optional(flags_ >> IORING_CQE_BUFFER_SHIFT)
                   : std::nullopt;
    }

    /// The result as a number of bytes. Throws std::system_error when the operation has failed.
    std::size_t count(const char* name) const {
        if (result_ < 0) {
            throw failed_call(-result_, name);
        }
        return static_cast<std::size_t>(result_);
    }

    explicit Submission(std::span<const char> memory) : memory_(memory) {}
    ~Submission() = default;

    /// Whether it is to end: what it still would do is not wanted.
    bool is_cancelled() const noexcept { return cancelled_with_ != 0; }

    /// The kernel works on `memory`: the address sanitizer reports whoever touches it meanwhile.
    void work_on(std::span<const char> memory) noexcept { memory_ = memory; }

private:
    friend class Ring;

    enum class State { ours, in_line, in_flight };

    std::span<const char> memory_;
    State state_ = State::ours;
    int cancelled_with_ = 0;  // the error number of cancel()
    int result_ = -ECANCELED;
    unsigned flags_ = 0;  // of the completion: IORING_CQE_F_...
};

/// A submission queue and a completion queue (io_uring(7)). For one thread.
class Ring {
public:
    /// Throws std::runtime_error, which says what to do, where there is no io_uring, or it is
    /// forbidden.
    Ring() { set_up_ring(entries, ring_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { ::io_uring_queue_exit(&ring_); }

    /// Stands in line, to be handed over.
    void add(Submission& submission) noexcept;

    /// Those that have stood in line elsewhere stand before all others.
    void add_first(Queue<Submission>& submissions) noexcept {
        submissions.take_all_of(line_);
        line_.take_all_of(submissions);
    }

    /// Ends `submission` with -error_number. A result that the kernel has by then wins.
    void cancel(Submission& submission, int error_number, Queue<Waiter>& ready) noexcept;

    /// Hands all that stand in line over to the kernel, and sleeps until something has been
    /// completed or the time is over; without a time, however long it takes: one system call for
    /// both, and one more for each 256 in line. Throws std::system_error when the kernel takes
    /// nothing any more.
    void submit_and_wait(std::optional<std::chrono::nanoseconds> time);

    /// The kernel takes buffers from this queue of so many (io_uring_buf_ring), a group of that
    /// number. Throws std::runtime_error, which says what to do.
    void provide(void* queue, unsigned count, std::uint16_t group);

    /// Has those whose entries the kernel has completed stand in `ready`.
    void take_completions(Queue<Waiter>& ready) noexcept;

    /// Has the kernel end what it does for `submission`, and returns when it has; others that are
    /// completed meanwhile stand in `ready`. Where the kernel answers no more, it ends the process.
    void let_go(Submission& submission, Queue<Waiter>& ready) noexcept;

private:
    bool has_line() const noexcept { return !line_.empty() || !to_cancel_.empty(); }
    void describe_cancels() noexcept;
    int enter(std::optional<std::chrono::nanoseconds> time);

    static constexpr unsigned entries = 256;

    io_uring ring_{};
    Queue<Submission> line_;
    Queue<Submission> to_cancel_;  // in flight, and the kernel has not been asked yet
};

inline void Ring::add(Submission& submission) noexcept {
    submission.state_ = Submission::State::in_line;
    submission.cancelled_with_ = 0;
    line_.push(submission);
}

inline void Ring::cancel(Submission& submission, int error_number, Queue<Waiter>& ready) noexcept {
    if (submission.state_ == Submission::State::in_line) {
        submission.leave_queue();
        submission.state_ = Submission::State::ours;
        submission.result_ = -error_number;
        ready.push(submission);
    } else if (submission.state_ == Submission::State::in_flight &&
               submission.cancelled_with_ == 0) {
        submission.cancelled_with_ = error_number;
        to_cancel_.push(submission);
    }
}

inline void Ring::describe_cancels() noexcept {
    while (io_uring_sqe* const entry = to_cancel_.empty() ? nullptr : ::io_uring_get_sqe(&ring_)) {
        ::io_uring_prep_cancel(entry, &to_cancel_.pop(), 0);
        ::io_uring_sqe_set_data(entry, nullptr);
    }
}

inline void Ring::submit_and_wait(std::optional<std::chrono::nanoseconds> time) {
    do {
        describe_cancels();
        while (io_uring_sqe* const entry = line_.empty() ? nullptr : ::io_uring_get_sqe(&ring_)) {
            Submission& first = line_.pop();
            first.describe(*entry);
            ::io_uring_sqe_set_data(entry, &first);
            first.state_ = Submission::State::in_flight;
            ASAN_POISON_MEMORY_REGION(first.memory_.data(), first.memory_.size());
        }
        const int result = has_line() ? ::io_uring_submit(&ring_) : enter(time);
        if (result == -EAGAIN || result == -EBUSY) {
            return;  // No memory, or no room for completions: what is left goes with the next call.
        }
        if (result < 0 && result != -EINTR && result != -ETIME) {
            throw failed_call(-result, "io_uring_enter");
        }
    } while (has_line());
}

inline int Ring::enter(std::optional<std::chrono::nanoseconds> time) {
    if (!time) {
        return ::io_uring_submit_and_wait(&ring_, 1);
    }
    if (*time == std::chrono::nanoseconds::zero() || ::io_uring_cq_ready(&ring_) > 0) {
        // The kernel completes nothing that has waited in it until it is asked for completions
        // (IORING_SETUP_DEFER_TASKRUN). The library does not ask where there are some already.
        return ::io_uring_submit_and_get_events(&ring_);
    }
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
    __kernel_timespec timespec{.tv_sec = seconds.count(), .tv_nsec = (*time - seconds).count()};
    io_uring_cqe* completion = nullptr;
    return ::io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &timespec, nullptr);
}

inline void Ring::provide(void* queue, unsigned count, std::uint16_t group) {
    io_uring_buf_reg place{};
    place.ring_addr = reinterpret_cast<std::uintptr_t>(queue);
    place.ring_entries = count;
    place.bgid = group;
    const int result = ::io_uring_register_buf_ring(&ring_, &place, 0);
    if (result == -EINVAL) {
        throw std::runtime_error(
            "io_uring_register: this kernel takes no ring of buffers: Linux 5.19 or later does");
    }
    if (result < 0) {
        throw no_ring("io_uring_register", -result);
    }
    ::io_uring_buf_ring_init(static_cast<io_uring_buf_ring*>(queue));
}

inline void Ring::take_completions(Queue<Waiter>& ready) noexcept {
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
        auto* const submission = static_cast<Submission*>(::io_uring_cqe_get_data(completion));
        int result = completion->res;
        const unsigned flags = completion->flags;
        ::io_uring_cqe_seen(&ring_, completion);
        if (!submission) {
            continue;  // The answer to a request to cancel.
        }
        submission->state_ = Submission::State::ours;
        ASAN_UNPOISON_MEMORY_REGION(submission->memory_.data(), submission->memory_.size());
        submission->leave_queue();  // Where it was to be cancelled, and was done before.
        submission->flags_ = flags;
        const int cancelled_with = submission->cancelled_with_;
        auto* const queue = submission->queue_after(result, line_);
        if (queue && cancelled_with == 0) {
            submission->state_ = Submission::State::in_line;
            queue->push(*submission);
            continue;
        }
        const bool has_no_result = queue || result == -ECANCELED;
        submission->result_ = has_no_result && cancelled_with != 0 ? -cancelled_with : result;
        ready.push(*submission);
    }
}

inline void Ring::let_go(Submission& submission, Queue<Waiter>& ready) noexcept {
    cancel(submission, ECANCELED, ready);
    while (submission.state_ == Submission::State::in_flight) {
        describe_cancels();
        const int result = ::io_uring_submit_and_wait(&ring_, submission.is_queued() ? 0 : 1);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
            // The kernel may go on using the memory, so nobody else may: not even to clean up.
            report({"error: io_uring_enter: ", std::strerror(-result)});
            std::_Exit(EXIT_FAILURE);
        }
        take_completions(ready);
    }
}
