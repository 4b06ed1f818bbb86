#include "address.hpp"

#include <netdb.h>

std::string to_string(const Address& address) {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    // NI_NUMERICHOST: no question to the name service, which could take seconds.
    const int failure =
        ::getnameinfo(reinterpret_cast<const sockaddr*>(&address.storage), address.length, host,
                      sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    if (failure != 0) {
        return "an unknown address";
    }
    if (address.storage.ss_family == AF_INET6) {
        return "[" + std::string(host) + "]:" + port;
    }
    return std::string(host) + ":" + port;
}
