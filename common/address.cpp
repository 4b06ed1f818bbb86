#include "address.hpp"

#include <netdb.h>

#include <cstdio>

AddressText::AddressText(const Address& address) noexcept {
    std::array<char, INET6_ADDRSTRLEN + IF_NAMESIZE> host;
    std::array<char, sizeof "65535"> port;
    // NI_NUMERICHOST: no question to the name service, which could take seconds.
    const int failure = ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage),
                                      address.length, host.data(), host.size(), port.data(),
                                      port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
    const char* form = address.storage.sin6_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    if (failure != 0) {
        form = "an unknown address";
    }
    std::snprintf(text_.data(), text_.size(), form, host.data(), port.data());
}

std::string to_string(const Address& address) {
    return std::string(std::string_view(to_text(address)));
}
