// Two rings in memory that the kernel sees, too: entries go in, and completions come out.
#pragma once

#include <liburing.h>
#include <sanitizer/asan_interface.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

#include "check.hpp"
#include "program.hpp"
#include "queue.hpp"
#include "waiter.hpp"

/// What the kernel is to do. While it is handed over and not completed, the kernel has its
/// address, and that of the memory which it works on. Before it ends, the ring has to let go of it.
class Submission : public Waiter {
public:
    /// Fills in what the kernel is to do.
    virtual void describe(io_uring_sqe& entry) = 0;

    /// What the system call would have returned, or the negative error number.
    int result() const noexcept { return result_; }

protected:
    /// The kernel works on `memory`: the address sanitizer reports whoever touches it meanwhile.
    explicit Submission(std::span<const char> memory) : memory_(memory) {}
    ~Submission() = default;

private:
    friend class Ring;

    const std::span<const char> memory_;
    bool is_in_flight_ = false;  // handed over, and not completed
    int result_ = -1;
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

    /// Stands in line, to be handed over.
    void add(Submission& submission) noexcept { line_.push(submission); }

    /// Whether the kernel did not take all that stood in line.
    bool has_line() const noexcept { return !line_.empty() || ::io_uring_sq_ready(&ring_) > 0; }

    /// Hands all that stand in line over to the kernel: one system call for 256 of them, and none
    /// where there are none. Throws std::system_error when the kernel takes nothing any more.
    void submit();

    /// Has those whose entries the kernel has completed stand in `ready`.
    void take_completions(Queue<Waiter>& ready) noexcept;

    /// Has the kernel end what it does for `submission`, and returns when it has; others that are
    /// completed meanwhile stand in `ready`. Where the kernel answers no more, it ends the process.
    void let_go(Submission& submission, Queue<Waiter>& ready) noexcept;

private:
    static constexpr unsigned entries = 256;

    io_uring ring_{};
    Queue<Submission> line_;
};

inline void Ring::submit() {
    while (has_line()) {
        while (io_uring_sqe* const entry = line_.empty() ? nullptr : ::io_uring_get_sqe(&ring_)) {
            Submission& first = line_.pop();
            first.describe(*entry);
            ::io_uring_sqe_set_data(entry, &first);
            first.is_in_flight_ = true;
            ASAN_POISON_MEMORY_REGION(first.memory_.data(), first.memory_.size());
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

inline void Ring::take_completions(Queue<Waiter>& ready) noexcept {
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
        auto* const submission = static_cast<Submission*>(::io_uring_cqe_get_data(completion));
        const int result = completion->res;
        ::io_uring_cqe_seen(&ring_, completion);
        if (!submission) {
            continue;  // The answer to a request to cancel.
        }
        submission->is_in_flight_ = false;
        ASAN_UNPOISON_MEMORY_REGION(submission->memory_.data(), submission->memory_.size());
        submission->result_ = result;
        if (result == -EINTR || result == -EAGAIN) {
            add(*submission);  // A signal came first, or the kernel did not wait: ask again.
        } else {
            ready.push(*submission);
        }
    }
}

inline void Ring::let_go(Submission& submission, Queue<Waiter>& ready) noexcept {
    bool is_asked = false;
    while (submission.is_in_flight_) {
        io_uring_sqe* const entry = is_asked ? nullptr : ::io_uring_get_sqe(&ring_);
        if (entry) {
            ::io_uring_prep_cancel(entry, &submission, 0);
            ::io_uring_sqe_set_data(entry, nullptr);
            is_asked = true;
        }
        const int result = ::io_uring_submit_and_wait(&ring_, is_asked ? 1 : 0);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
            // The kernel may go on using the memory, so nobody else may: not even to clean up.
            report({"error: io_uring_enter: ", std::strerror(-result)});
            std::_Exit(EXIT_FAILURE);
        }
        take_completions(ready);
    }
}
