// System calls that a coroutine can await: no frame of their own, they lie in the coroutine's.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "address.hpp"
#include "buffer_pool.hpp"
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
    }

protected:
    /// The slot and the descriptor outlive the operation.
    Operation(Reactor& reactor, Slot& slot, const Fd& fd)
        : Submission({}), reactor_(reactor), slot_(slot), fd_(fd) {}

    /// A coroutine can be destroyed while it is suspended here. The kernel has to let go first.
    ~Operation() {
        let_go();
        if (slot_.operation_ == this) {
            slot_.operation_ = nullptr;
        }
    }

    void let_go() noexcept { reactor_.let_go(*this); }

    int fd() const { return fd_.get(); }

private:
    friend class Slot;

    Reactor& reactor_;
    Slot& slot_;
    const Fd& fd_;
};

inline void Slot::cancel() noexcept {
    if (operation_) {
        operation_->reactor_.cancel(*operation_, ECANCELED);
    }
}

/// What has become of the clients that wait to be accepted: they are ours for now, ours to the last
/// one, left to a later process, or left to one that accepts them already.
enum class AcceptQueue { open, closed, left, handed_over };

/// What Acceptor::accept() returns.
class [[nodiscard]] Accept : public Operation {
public:
    static constexpr unsigned unknown = ~0U;

    /// Where the queue is closed or left, the kernel is not asked to wait. Where it is handed over,
    /// `owed` clients of it are to be accepted, and it is asked for as long as the timeout says.
    Accept(Reactor& reactor, Slot& slot, const Fd& listener, Address& address,
           const AcceptQueue& queue, unsigned& owed, Timeout* timeout)
        : Operation(reactor, slot, listener), address_(address), queue_(queue), owed_(owed) {
        if (timeout) {
            timeout->add(expiry_, reactor.now());
        }
    }

    /// A client that has come, and that the coroutine has not been told of, is nobody's.
    ~Accept() {
        let_go();
        if (!is_taken_ && result() >= 0) {
            const Fd closed{result()};
        }
    }

    bool await_ready() const noexcept {
        return queue_ == AcceptQueue::handed_over ? owed_ == 0 : queue_ != AcceptQueue::open;
    }

    int await_resume() {
        is_taken_ = true;
        if (queue_ == AcceptQueue::handed_over) {
            return count_owed();
        }
        if (queue_ == AcceptQueue::open || result() != -ECANCELED) {
            return result();
        }
        if (queue_ == AcceptQueue::left) {
            return -EAGAIN;
        }
        address_.length = sizeof address_.storage;
        const int client = ::accept4(fd(), address_.get(), &address_.length, SOCK_CLOEXEC);
        return client >= 0 ? client : -errno;
    }

private:
    int count_owed() noexcept {
        if (result() == -ECANCELED || result() == -ETIMEDOUT) {
            // We have waited once more: what is owed has to be looked up anew.
            return std::exchange(owed_, unknown) == 0 ? -EAGAIN : -ECANCELED;
        }
        owed_ -= result() >= 0 ? 1 : 0;
        return result();
    }

    void describe(io_uring_sqe& entry) override {
        address_.length = sizeof address_.storage;
        ::io_uring_prep_accept(&entry, fd(), address_.get(), &address_.length, SOCK_CLOEXEC);
    }

    Address& address_;
    const AcceptQueue& queue_;
    unsigned& owed_;
    Expiry expiry_{*this};
    bool is_taken_ = false;
};

/// What a client's operations need of it.
struct Connection {
    Reactor& reactor;
    Fd fd;
    std::optional<std::size_t> left{};  ///< bytes before the end of the file, once it is known
};

/// An operation of a client.
class Transfer : public Submission {
public:
    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> frame) noexcept {
        resume_later(frame);
        client_.reactor.submit(*this);
    }

    /// Has it end with ECANCELED, if it has no result before.
    void cancel() noexcept { client_.reactor.cancel(*this, ECANCELED); }

protected:
    /// The client outlives the operation. Without a timeout it may take for ever.
    Transfer(Connection& client, std::span<const char> memory, Timeout* timeout)
        : Submission(memory), client_(client) {
        if (timeout) {
            timeout->add(expiry_, client_.reactor.now());
        }
    }

    /// A coroutine can be destroyed while it is suspended here. The kernel has to let go first.
    ~Transfer() { let_go(); }

    void let_go() noexcept { client_.reactor.let_go(*this); }

    Connection& client_;

private:
    Expiry expiry_{*this};
};

/// What Socket::read() returns. The kernel takes a buffer of the pool when something has come.
class [[nodiscard]] Read : public Transfer {
public:
    Read(Connection& client, Timeout* timeout) : Transfer(client, {}, timeout) {}

    /// The buffer goes back; that of bytes of which the coroutine has not been told, too.
    ~Read() {
        let_go();
        take();
    }

    bool await_ready() const noexcept { return client_.left.has_value(); }

    Bytes await_resume() {
        if (client_.left && result() == -ECANCELED) {
            return take_what_is_left();
        }
        Bytes bytes = take();
        count("read");
        return bytes;
    }

private:
    void describe(io_uring_sqe& entry) override {
        ::io_uring_prep_recv(&entry, client_.fd.get(), nullptr, 0, 0);
        entry.flags |= IOSQE_BUFFER_SELECT;
        entry.buf_group = BufferPool::group;
    }

    Queue<Submission>* queue_after(int& result, Queue<Submission>& line) noexcept override {
        return result == -ENOBUFS ? &client_.reactor.pool().starved()
                                  : Submission::queue_after(result, line);
    }

    /// What has come, the first time.
    Bytes take() noexcept {
        if (std::exchange(is_taken_, true) || !buffer()) {
            return {};
        }
        return {client_.reactor.pool(), *buffer(), static_cast<std::size_t>(std::max(result(), 0))};
    }

    Bytes take_what_is_left() const;

    bool is_taken_ = false;
};

/// Bytes that have come by now; at the end of them the end of the file, once.
inline Bytes Read::take_what_is_left() const {
    const std::size_t wanted = std::min(client_.reactor.pool().buffer_size(), *client_.left);
    auto memory = std::make_unique_for_overwrite<char[]>(wanted);
    const ssize_t received =
        wanted > 0 ? ::recv(client_.fd.get(), memory.get(), wanted, MSG_DONTWAIT) : 0;
    if (received < 0 && errno != EAGAIN) {
        throw failed_call(errno, "read");
    }
    if (received <= 0) {
        client_.left.reset();
        return {};
    }
    *client_.left -= static_cast<std::size_t>(received);
    return {std::move(memory), static_cast<std::size_t>(received)};
}

/// What Socket::send() returns. Bytes on loan are sent if there is room for them at once. Or else
/// they have to wait, and do so in memory of their own.
class [[nodiscard]] Send : public Transfer {
public:
    Send(Connection& client, Bytes& bytes, Timeout* timeout)
        : Transfer(client, bytes.get(), timeout), bytes_(bytes) {}

    std::size_t await_resume() const { return count("send"); }

private:
    // MSG_NOSIGNAL: a client that is gone shall be the error EPIPE here, not the signal SIGPIPE,
    // which ends the process.
    void describe(io_uring_sqe& entry) override {
        const int flags = MSG_NOSIGNAL | (bytes_.is_on_loan() ? MSG_DONTWAIT : 0);
        ::io_uring_prep_send(&entry, client_.fd.get(), bytes_.get().data(), bytes_.get().size(),
                             flags);
    }

    Queue<Submission>* queue_after(int& result, Queue<Submission>& line) noexcept override {
        if (result != -EAGAIN || !bytes_.is_on_loan()) {
            return Submission::queue_after(result, line);
        }
        if (is_cancelled()) {
            return &line;  // It has no result, and the bytes need not wait.
        }
        result = -ENOMEM;
        const bool is_copied = bytes_.copy_out();
        work_on(bytes_.get());
        return is_copied ? &line : nullptr;
    }

    Bytes& bytes_;
};
