// Two rings in memory that the kernel sees, too: entries go in, and completions come out.
#pragma once

#include <liburing.h>

#include <cerrno>
#include <exception>

#include "check.hpp"

/// What the kernel is to do. From submit() on until it has been completed the kernel has its
/// address, and that of the memory which it works on. Before it ends, the ring has to let go of it.
class Submission {
public:
    /// Fills in what the kernel is to do.
    virtual void describe(io_uring_sqe& entry) = 0;

    /// The kernel has done it. `result` is what the system call would have returned, or the
    /// negative error number.
    virtual void complete(int result) noexcept = 0;

protected:
    ~Submission() = default;

private:
    friend class Ring;

    enum class State { ours, in_line, in_flight };

    State state_ = State::ours;
    Submission* next_ = nullptr;  // in line
};

/// A submission queue and a completion queue (io_uring(7)). For one thread.
class Ring {
public:
    /// Throws std::system_error where there is no io_uring, or it is forbidden.
    Ring() {
        if (const int result = ::io_uring_queue_init(entries, &ring_, 0); result < 0) {
            throw failed_call(-result, "io_uring_setup");
        }
    }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { ::io_uring_queue_exit(&ring_); }

    /// The descriptor of the ring: readable when there are completions.
    int fd() const { return ring_.ring_fd; }

    /// Stands in line for submit().
    void add(Submission& submission) noexcept;

    /// Hands all that stand in line over to the kernel, by one system call for 256 of them, and
    /// none when there is none. Throws std::system_error when the kernel takes nothing any more.
    void submit();

    /// Completes what the kernel has done.
    void take_completions() noexcept;

    /// Has the kernel end what it does for this one, and returns when it has. Ends the program when
    /// the kernel does not answer any more.
    void let_go(Submission& submission) noexcept;

private:
    static constexpr unsigned entries = 256;

    io_uring ring_{};
    Submission* first_ = nullptr;
    Submission** end_ = &first_;  // where the next one in line is to be noted
};

inline void Ring::add(Submission& submission) noexcept {
    submission.state_ = Submission::State::in_line;
    submission.next_ = nullptr;
    *end_ = &submission;
    end_ = &submission.next_;
}

inline void Ring::submit() {
    while (first_ || ::io_uring_sq_ready(&ring_) > 0) {
        while (io_uring_sqe* const entry = first_ ? ::io_uring_get_sqe(&ring_) : nullptr) {
            first_->describe(*entry);
            ::io_uring_sqe_set_data(entry, first_);
            first_->state_ = Submission::State::in_flight;
            first_ = first_->next_;
        }
        if (!first_) {
            end_ = &first_;
        }
        const int result = ::io_uring_submit(&ring_);
        if (result == -EAGAIN || result == -EBUSY) {
            return;  // No memory, or no room for completions: what is left goes with the next call.
        }
        if (result < 0 && result != -EINTR) {
            throw failed_call(-result, "io_uring_enter");
        }
    }
}

inline void Ring::take_completions() noexcept {
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
        auto* const submission = static_cast<Submission*>(::io_uring_cqe_get_data(completion));
        const int result = completion->res;
        ::io_uring_cqe_seen(&ring_, completion);
        if (submission) {  // Or else it is the answer to a request to cancel.
            submission->state_ = Submission::State::ours;
            submission->complete(result);
        }
    }
}

inline void Ring::let_go(Submission& submission) noexcept {
    if (submission.state_ == Submission::State::in_line) {
        Submission** place = &first_;
        while (*place != &submission) {
            place = &(*place)->next_;
        }
        *place = submission.next_;
        end_ = *place ? end_ : place;
    }
    if (submission.state_ == Submission::State::in_flight) {
        io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
        while (!entry) {
            submit();
            entry = ::io_uring_get_sqe(&ring_);
        }
        ::io_uring_prep_cancel(entry, &submission, 0);
        ::io_uring_sqe_set_data(entry, nullptr);
    }
    while (submission.state_ == Submission::State::in_flight) {
        const int result = ::io_uring_submit_and_wait(&ring_, 1);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
            std::terminate();
        }
        take_completions();
    }
}
