// Sockets, and what a coroutine can await of them.
#pragma once

#include <fcntl.h>

#include <span>
#include <utility>

#include "address.hpp"
#include "check.hpp"
#include "fd.hpp"
#include "operation.hpp"
#include "reactor.hpp"
#include "watched_fd.hpp"

/// A listening socket.
class Acceptor : public WatchedFd {
public:
    /// Takes over the listener. Throws std::system_error.
    Acceptor(Reactor& reactor, Fd listener)
        : WatchedFd(reactor, make_nonblocking(std::move(listener))) {}

    /// `co_await acceptor.accept(address)`: the descriptor of the next client, whose address is put
    /// into `address`, or the negative error number with which accept4(2) has failed.
    Accept accept(Address& address) const { return {*this, address}; }

private:
    /// The same descriptor. From here on no call on it waits: it fails with EAGAIN where it would
    /// have.
    static Fd make_nonblocking(Fd fd) {
        const int flags = check(::fcntl(fd.get(), F_GETFL), "fcntl F_GETFL");
        check(::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
        return fd;
    }
};

/// A client's socket.
class Socket : public WatchedFd {
public:
    /// Takes over a descriptor from Acceptor::accept(). Throws std::system_error.
    Socket(Reactor& reactor, Fd client) : WatchedFd(reactor, std::move(client)) {}

    /// `co_await socket.read(buffer)`: how many bytes have come, at most buffer.size(); 0 is the
    /// end of the file. Throws std::system_error.
    Read read(std::span<char> buffer) const { return {*this, buffer}; }

    /// `co_await socket.send(bytes)`: how many of the bytes have been sent, at least 1. Throws
    /// std::system_error.
    Send send(std::span<const char> bytes) const { return {*this, bytes}; }
};
