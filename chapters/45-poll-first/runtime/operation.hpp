// System calls that a coroutine can await: no frame of their own, they lie in the coroutine's.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "address.hpp"
#include "bytes.hpp"
#include "check.hpp"
#include "deadlines.hpp"
#include "fd.hpp"
#include "reactor.hpp"
#include "ring.hpp"
#include "waiter.hpp"

class Operation;

/// Where an operation is found while its coroutine is suspended in it: one at a time.
class Slot {
public:
    Slot() = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    /// Has the operation end with ECANCELED, if it has no result before.
    void cancel() noexcept;

private:
    friend class Operation;

    Operation* operation_ = nullptr;
};

/// An operation that the kernel does while the coroutine is suspended.
class Operation : public Submission {
public:
    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        assert(!slot_.operation_);
        slot_.operation_ = this;
        resume_later(frame);
        reactor_.submit(*this);
        if (timeout_) {
            timeout_->add(expiry_, reactor_.now());
        }
    }

protected:
    /// The slot and the descriptor are those of a socket, which outlives the operation. Without a
    /// timeout the operation may take for ever.
    Operation(Reactor& reactor, Slot& slot, const Fd& fd, std::span<const char> memory,
              Timeout* timeout = nullptr)
        : Submission(memory), reactor_(reactor), slot_(slot), fd_(fd), timeout_(timeout) {}

    /// A coroutine can be destroyed while it is suspended here. The kernel has to let go first.
    ~Operation() {
        let_go();
        if (slot_.operation_ == this) {
            slot_.operation_ = nullptr;
        }
    }

    void let_go() noexcept { reactor_.let_go(*this); }

    /// What was waited for has come: from now on there is no deadline.
    void came_in_time() noexcept { expiry_.end(); }

    int fd() const { return fd_.get(); }

    /// The result as a number of bytes. Throws std::system_error when the operation has failed.
    std::size_t count(const char* name) const {
        if (result() < 0) {
            throw failed_call(-result(), name);
        }
        return static_cast<std::size_t>(result());
    }

private:
    friend class Slot;

    Reactor& reactor_;
    Slot& slot_;
    const Fd& fd_;
    Timeout* const timeout_;
    Expiry expiry_{*this};
};

inline void Slot::cancel() noexcept {
    if (operation_) {
        operation_->reactor_.cancel(*operation_, ECANCELED);
    }
}

/// What Acceptor::accept() returns.
class [[nodiscard]] Accept : public Operation {
public:
    /// Once `is_closed`, nobody is waited for: the listener does not block any more.
    Accept(Reactor& reactor, Slot& slot, const Fd& listener, Address& address,
           const bool& is_closed)
        : Operation(reactor, slot, listener, {}), address_(address), is_closed_(is_closed) {}

    /// A client that has come, and that the coroutine has not been told of, is nobody's.
    ~Accept() {
        let_go();
        if (!is_taken_ && result() >= 0) {
            const Fd closed{result()};
        }
    }

    bool await_ready() const noexcept { return is_closed_; }

    int await_resume() {
        is_taken_ = true;
        if (!is_closed_ || result() != -ECANCELED) {
            return result();
        }
        address_.length = sizeof address_.storage;
        const int client = ::accept4(fd(), address_.get(), &address_.length, SOCK_CLOEXEC);
        return client >= 0 ? client : -errno;
    }

private:
    void describe(io_uring_sqe& entry) override {
        address_.length = sizeof address_.storage;
        ::io_uring_prep_accept(&entry, fd(), address_.get(), &address_.length, SOCK_CLOEXEC);
    }

    Address& address_;
    const bool& is_closed_;
    bool is_taken_ = false;
};

/// What Socket::read() returns. It waits without memory, and takes some when something has come.
class [[nodiscard]] Read : public Operation {
public:
    /// `left` is how many bytes may come before the end of the file, once the input has been ended.
    Read(Reactor& reactor, Slot& slot, const Fd& client, Timeout* timeout,
         std::optional<std::size_t>& left)
        : Operation(reactor, slot, client, {}, timeout), left_(left) {}

    ~Read() { let_go(); }  // Before the memory.

    bool await_ready() const noexcept { return left_.has_value(); }

    Bytes await_resume() {
        if (left_ && result() == -ECANCELED) {
            return take_what_is_left();
        }
        const std::size_t received = count("read");
        return {std::move(memory_), received};
    }

private:
    static constexpr std::size_t size = 64 * 1024;  // bytes, at most

    void describe(io_uring_sqe& entry) override {
        if (memory_) {
            ::io_uring_prep_recv(&entry, fd(), memory_.get(), size, 0);
        } else {
            ::io_uring_prep_poll_add(&entry, fd(), POLLIN);
        }
    }

    Queue<Submission>* queue_after(int& result, Queue<Submission>& line) noexcept override {
        if (memory_ || result < 0) {
            return Submission::queue_after(result, line);
        }
        if (is_cancelled()) {
            return &line;  // It has no result, and needs no memory any more.
        }
        came_in_time();
        memory_.reset(new (std::nothrow) char[size]);
        work_on({memory_.get(), size});
        result = -ENOMEM;
        return memory_ ? &line : nullptr;
    }

    Bytes take_what_is_left() const;

    std::unique_ptr<char[]> memory_;
    std::optional<std::size_t>& left_;
};

/// Bytes that have come by now; at the end of them the end of the file, once.
inline Bytes Read::take_what_is_left() const {
    const std::size_t wanted = std::min(size, *left_);
    auto memory = std::make_unique_for_overwrite<char[]>(wanted);
    const ssize_t received = wanted > 0 ? ::recv(fd(), memory.get(), wanted, MSG_DONTWAIT) : 0;
    if (received < 0 && errno != EAGAIN) {
        throw failed_call(errno, "read");
    }
    if (received <= 0) {
        left_.reset();
        return {};
    }
    *left_ -= static_cast<std::size_t>(received);
    return {std::move(memory), static_cast<std::size_t>(received)};
}

/// What Socket::send() returns.
class [[nodiscard]] Send : public Operation {
public:
    Send(Reactor& reactor, Slot& slot, const Fd& client, std::span<const char> bytes,
         Timeout* timeout)
        : Operation(reactor, slot, client, bytes, timeout), bytes_(bytes) {}

    std::size_t await_resume() const { return count("send"); }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_send(&entry, fd(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
    }

    const std::span<const char> bytes_;
};
