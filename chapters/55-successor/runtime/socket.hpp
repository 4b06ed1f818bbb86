// Sockets, and what a coroutine can await of them.
#pragma once

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cassert>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "address.hpp"
#include "check.hpp"
#include "deadlines.hpp"
#include "fd.hpp"
#include "operation.hpp"
#include "reactor.hpp"

/// A listening socket.
class Acceptor {
public:
    /// Takes over the listener.
    Acceptor(Reactor& reactor, Fd listener) : reactor_(reactor), listener_(std::move(listener)) {}
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    const Fd& fd() const { return listener_; }

    /// `co_await acceptor.accept(address)`: the descriptor of the next client, whose address is put
    /// into `address`, or the negative error number with which accept4(2) has failed.
    Accept accept(Address& address) { return {reactor_, accepting_, listener_, address, queue_}; }

    /// No new client can connect any more. Those who have can still be accepted; behind the last
    /// one, accept() answers -EAGAIN.
    void close_queue() noexcept;

    /// The clients that wait are left to other processes: accept() answers -EAGAIN.
    void leave_queue() noexcept {
        queue_ = AcceptQueue::left;
        accepting_.cancel();
    }

private:
    Reactor& reactor_;
    Fd listener_;
    Slot accepting_;
    AcceptQueue queue_ = AcceptQueue::open;
};

inline void Acceptor::close_queue() noexcept {
    // A connection is opened by a packet with SYN and without ACK. From now on the kernel drops
    // those before the listener sees them: byte 13 of a TCP header holds the flags (RFC 9293, 3.1).
    // Whoever has begun already can still get to the end. socket(7), SO_ATTACH_FILTER.
    constexpr std::uint8_t syn = 0x02;
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    }};
    const sock_fprog filter{program.size(), program.data()};
    // If there is no memory for it, whoever comes last may be reset: no reason not to end.
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
    ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    queue_ = AcceptQueue::closed;
    accepting_.cancel();
}

/// Room for the operation for which a client's coroutine waits: for one.
using Place = std::variant<std::monostate, Read, Send>;

/// What Socket::read() and send() return. The operation lies in the socket as long as this one
/// lives: until the end of the statement with the `co_await`.
template <typename T>
class [[nodiscard]] InPlace {
public:
    template <typename... Arguments>
    explicit InPlace(Place& place, Arguments&&... arguments) : place_(place) {
        assert(std::holds_alternative<std::monostate>(place));
        place.emplace<T>(std::forward<Arguments>(arguments)...);
    }
    InPlace(const InPlace&) = delete;
    ~InPlace() { place_.emplace<std::monostate>(); }

    bool await_ready() const noexcept { return operation().await_ready(); }
    void await_suspend(std::coroutine_handle<> frame) noexcept { operation().await_suspend(frame); }
    auto await_resume() { return operation().await_resume(); }

private:
    T& operation() const noexcept { return *std::get_if<T>(&place_); }

    Place& place_;
};

/// A client's socket.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept().
    Socket(Reactor& reactor, Fd client) : client_{reactor, std::move(client)} {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// `co_await socket.read(&timeout)`: the bytes that have come; none are the end of the file.
    /// Throws std::system_error: with ETIMEDOUT when none have come in time.
    InPlace<Read> read(Timeout* timeout = nullptr) {
        return InPlace<Read>(place_, client_, timeout);
    }

    /// `co_await socket.send(bytes, &timeout)`: how many of the bytes have been sent, at least 1.
    /// Bytes on loan are so no longer when there is no room for them at once. Throws
    /// std::system_error: with ETIMEDOUT when there was no room in time.
    InPlace<Send> send(Bytes& bytes, Timeout* timeout = nullptr) {
        return InPlace<Send>(place_, client_, bytes, timeout);
    }

    /// Whoever is suspended here gets the error ECANCELED, if the operation has no result before.
    void cancel() noexcept {
        cancel<Read>();
        cancel<Send>();
    }

    /// What has come by now can still be read. Behind it read() finds the end of the file, once:
    /// whoever reads on then gets what the client sends after that.
    void end_input() noexcept {
        int waiting = 0;
        ::ioctl(client_.fd.get(), SIOCINQ, &waiting);
        client_.left = static_cast<std::size_t>(waiting);
        cancel<Read>();
    }

    /// The client finds the end of the file behind what has been sent. Nothing can be sent any
    /// more. Throws std::system_error.
    void end_output() { check(::shutdown(client_.fd.get(), SHUT_WR), "shutdown"); }

    /// How many bytes have been sent and not been acknowledged by the client's kernel. Throws
    /// std::system_error.
    std::size_t unacknowledged() const {
        int bytes = 0;
        check(::ioctl(client_.fd.get(), SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
        return static_cast<std::size_t>(bytes);
    }

private:
    template <typename T>
    void cancel() noexcept {
        if (T* const operation = std::get_if<T>(&place_)) {
            operation->cancel();
        }
    }

    Connection client_;
    Place place_;
};
