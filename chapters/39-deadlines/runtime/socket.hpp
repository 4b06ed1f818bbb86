// Sockets, and what a coroutine can await of them.
#pragma once

#include <span>
#include <utility>

#include "address.hpp"
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
    Accept accept(Address& address) { return {reactor_, accepting_, listener_, address}; }

    /// The coroutine that awaits a client gets -ECANCELED, if none has come before.
    void cancel() noexcept { accepting_.cancel(); }

private:
    Reactor& reactor_;
    Fd listener_;
    Slot accepting_;
};

/// A client's socket.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept().
    Socket(Reactor& reactor, Fd client) : reactor_(reactor), client_(std::move(client)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// `co_await socket.read(buffer, &timeout)`: how many bytes have come, at most buffer.size(); 0
    /// is the end of the file. Throws std::system_error: with ETIMEDOUT when none have come in
    /// time.
    Read read(std::span<char> buffer, Timeout* timeout = nullptr) {
        return {reactor_, reading_, client_, buffer, timeout};
    }

    /// `co_await socket.send(bytes, &timeout)`: how many of the bytes have been sent, at least 1.
    /// Throws std::system_error: with ETIMEDOUT when there was no room in time.
    Send send(std::span<const char> bytes, Timeout* timeout = nullptr) {
        return {reactor_, sending_, client_, bytes, timeout};
    }

    /// Whoever is suspended here gets the error ECANCELED, if the operation has no result before.
    void cancel() noexcept {
        reading_.cancel();
        sending_.cancel();
    }

private:
    Reactor& reactor_;
    Fd client_;
    Slot reading_;
    Slot sending_;
};
