// Sockets, and what a coroutine can await of them.
#pragma once

#include <span>
#include <utility>

#include "address.hpp"
#include "fd.hpp"
#include "operation.hpp"
#include "reactor.hpp"
#include "watched_fd.hpp"

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
class Socket : public WatchedFd {
public:
    /// Takes over a descriptor from Acceptor::accept(). Throws std::system_error.
    Socket(Reactor& reactor, Fd client) : WatchedFd(reactor, std::move(client)) {}

    /// `co_await socket.read(buffer)`: how many bytes have come, at most buffer.size(); 0 is the
    /// end of the file. Throws std::system_error.
    Read read(std::span<char> buffer) const { return {reactor(), fd(), buffer}; }

    /// `co_await socket.send(bytes)`: how many of the bytes have been sent, at least 1. Throws
    /// std::system_error.
    Send send(std::span<const char> bytes) const { return {reactor(), fd(), bytes}; }
};
