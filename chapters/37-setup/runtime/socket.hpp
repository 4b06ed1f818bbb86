// Sockets, and what a coroutine can await of them.
#pragma once

#include <span>
#include <utility>

#include "address.hpp"
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
    Accept accept(Address& address) const { return {reactor_, listener_, address}; }

private:
    Reactor& reactor_;
    Fd listener_;
};

/// A client's socket.
class Socket {
public:
    /// Takes over a descriptor from Acceptor::accept().
    Socket(Reactor& reactor, Fd client) : reactor_(reactor), client_(std::move(client)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// `co_await socket.read(buffer)`: how many bytes have come, at most buffer.size(); 0 is the
    /// end of the file. Throws std::system_error.
    Read read(std::span<char> buffer) const { return {reactor_, client_, buffer}; }

    /// `co_await socket.send(bytes)`: how many of the bytes have been sent, at least 1. Throws
    /// std::system_error.
    Send send(std::span<const char> bytes) const { return {reactor_, client_, bytes}; }

private:
    Reactor& reactor_;
    Fd client_;
};
