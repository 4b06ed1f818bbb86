// The address of one end of a connection.
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

/// Room for an address of TCP over IPv4 or IPv6, in the form in which accept(2), getsockname(2) and
/// getpeername(2) fill one in: the length goes in as the room there is and comes out as the room
/// used. Servers keep one for each client, so it has no room for more: a sockaddr_storage, which is
/// for every family, takes 128 bytes instead of 28.
struct Address {
    sockaddr_in6 storage{};  // or a sockaddr_in: both begin with the family
    socklen_t length = sizeof storage;

    /// What the socket calls want to have: their `struct sockaddr*` stands for every family.
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// An address as people write it, in room of its own: to speak of a client takes no memory that
/// there may not be.
class AddressText {
public:
    explicit AddressText(const Address& address) noexcept;

    operator std::string_view() const { return text_.data(); }

private:
    // "[", an IPv6 address, "%" and an interface, "]:", a port, and the 0 of INET6_ADDRSTRLEN.
    std::array<char, INET6_ADDRSTRLEN + IF_NAMESIZE + 9> text_;
};

/// `127.0.0.1:9877`, or `[::1]:9877` for IPv6 (RFC 3986's brackets keep the two kinds of colon
/// apart).
inline AddressText to_text(const Address& address) noexcept {
    return AddressText(address);
}

/// The same as a string.
std::string to_string(const Address& address);
