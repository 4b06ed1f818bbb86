// The address of one end of a connection.
#pragma once

#include <sys/socket.h>

#include <string>

/// Room for a socket address of any family, in the form in which accept(2), getsockname(2) and
/// getpeername(2) fill one in: the length goes in as the room there is and comes out as the room
/// used.
struct Address {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;

    /// What the socket calls want to have: their `struct sockaddr*` stands for every family.
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// `127.0.0.1:9877`, or `[::1]:9877` for IPv6 (RFC 3986's brackets keep the two kinds of colon
/// apart).
std::string to_string(const Address& address);
