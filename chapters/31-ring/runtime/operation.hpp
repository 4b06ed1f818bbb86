// System calls that a coroutine can await: no frame of their own, they lie in the coroutine's.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <span>

#include "address.hpp"
#include "check.hpp"
#include "reactor.hpp"
#include "ring.hpp"
#include "waiter.hpp"
#include "watched_fd.hpp"

/// A system call on a nonblocking descriptor, made again after each event until it need not wait.
class Operation : public Waiter {
public:
    bool await_ready();
    void await_suspend(std::coroutine_handle<> frame) noexcept;

protected:
    explicit Operation(const WatchedFd& watched) : watched_(watched) {}

    /// Makes the call, and returns what it returned.
    virtual ssize_t call() = 0;

    /// Whether it is known, without the call, that it would have to wait.
    virtual bool must_wait() const { return false; }

    int fd() const { return watched_.fd().get(); }
    Watched& state() const { return watched_.state(); }
    ssize_t result() const { return result_; }
    int error() const { return error_; }

    /// The result as a number of bytes. Throws std::system_error when the call has failed.
    std::size_t count(const char* name) const {
        if (error_ != 0) {
            throw failed_call(error_, name);
        }
        return static_cast<std::size_t>(result_);
    }

private:
    bool is_done() override;

    const WatchedFd& watched_;
    ssize_t result_ = -1;
    int error_ = 0;
};

/// Is it ready now? Not when the others are to have their turn first, or when the call would wait.
inline bool Operation::await_ready() {
    return watched_.reactor().spend_step() && is_done();
}

inline void Operation::await_suspend(std::coroutine_handle<> frame) noexcept {
    resume_later(frame);
    if (!is_queued()) {
        watched_.reactor().give_turn(*this);
    }
}

/// Makes the call, and answers whether that was all. If not, it waits for an event.
inline bool Operation::is_done() {
    error_ = EAGAIN;
    if (!must_wait()) {
        do {
            result_ = call();
            error_ = result_ == -1 ? errno : 0;
        } while (error_ == EINTR);
    }
    if (error_ == EAGAIN) {
        state().waiting.push(*this);
    }
    return error_ != EAGAIN;
}

/// What Acceptor::accept() returns.
class [[nodiscard]] Accept : public Operation {
public:
    Accept(const WatchedFd& listener, Address& address) : Operation(listener), address_(address) {}

    int await_resume() const { return error() == 0 ? static_cast<int>(result()) : -error(); }

private:
    ssize_t call() override {
        address_.length = sizeof address_.storage;
        const int client =
            ::accept4(fd(), address_.get(), &address_.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client == -1 && errno == EAGAIN) {
            state().has_input = false;
        }
        return client;
    }

    bool must_wait() const override { return !state().has_input; }

    Address& address_;
};

/// What Socket::read() returns.
class [[nodiscard]] Read : public Operation {
public:
    Read(const WatchedFd& client, std::span<char> buffer) : Operation(client), buffer_(buffer) {}

    std::size_t await_resume() const { return count("read"); }

private:
    ssize_t call() override {
        const ssize_t received = ::read(fd(), buffer_.data(), buffer_.size());
        if (received == -1 ? errno == EAGAIN : is_all(received)) {
            state().has_input = false;
        }
        return received;
    }

    bool must_wait() const override { return !state().has_input; }

    /// Less has come than was asked for, so nothing is left: what comes now comes with an event.
    /// But a read ends early at urgent data, too; and behind the last bytes the end of the input
    /// may lie, whose event has come already.
    bool is_all(ssize_t received) const {
        return static_cast<std::size_t>(received) < buffer_.size() && !state().has_mark;
    }

    const std::span<char> buffer_;
};

/// What Socket::send() returns. The kernel makes the call, and has the bytes until it is complete.
class [[nodiscard]] Send : public Submission {
public:
    Send(const WatchedFd& client, std::span<const char> bytes) : client_(client), bytes_(bytes) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        client_.reactor().submit(*this);
    }

    std::size_t await_resume() const {
        if (result() < 0) {
            throw failed_call(-result(), "send");
        }
        return static_cast<std::size_t>(result());
    }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_send(&entry, client_.fd().get(), bytes_.data(), bytes_.size(),
                             MSG_NOSIGNAL);
    }

    const WatchedFd& client_;
    const std::span<const char> bytes_;
};
