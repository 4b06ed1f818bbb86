#include "listener.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include "address.hpp"
#include "check.hpp"

namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// Every address of the host, IPv4 and IPv6, in the order of preference of getaddrinfo(3).
AddressList resolve(const Options& options) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(options.port);
    const int failure = ::getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found);
    if (failure == EAI_SYSTEM) {
        throw failed_call(errno, "resolve", options.host);
    }
    if (failure != 0) {
        throw std::runtime_error("resolve " + options.host + ": " + ::gai_strerror(failure));
    }
    return {found, &::freeaddrinfo};
}

void enable(const Fd& socket, int level, int option, const char* what) {
    const int on = 1;
    check(::setsockopt(socket.get(), level, option, &on, sizeof on), what);
}

/// A socket bound to one address and listening there.
Fd listen_at(const addrinfo& candidate, int backlog) {
    Address address;
    std::copy_n(reinterpret_cast<const char*>(candidate.ai_addr), candidate.ai_addrlen,
                reinterpret_cast<char*>(&address.storage));
    address.length = candidate.ai_addrlen;
    const std::string where = to_string(address);

    // SOCK_CLOEXEC: a program started with exec does not inherit the listener (chapter 04).
    Fd listener{check(::socket(candidate.ai_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP),
                      "socket for", where)};

    // Without it a restart fails with EADDRINUSE for a minute: connections that the last server has
    // closed are still in TIME_WAIT on this port (UNP 7.5).
    enable(listener, SOL_SOCKET, SO_REUSEADDR, "setsockopt SO_REUSEADDR");

    // Accepted sockets inherit it. An echo is a small answer that should leave at once; Nagle's
    // algorithm would hold it back while an earlier one waits for its acknowledgement (UNP 7.9).
    enable(listener, IPPROTO_TCP, TCP_NODELAY, "setsockopt TCP_NODELAY");

    // Inherited, too. A byte that a client sends as urgent (MSG_OOB) stays in its place among the
    // others; without this the kernel takes it out, and it would not be echoed (UNP 24.2).
    enable(listener, SOL_SOCKET, SO_OOBINLINE, "setsockopt SO_OOBINLINE");

    check(::bind(listener.get(), address.get(), address.length), "bind", where);
    check(::listen(listener.get(), backlog), "listen", where);
    return listener;
}

}  // namespace

Fd listen_on(const Options& options) {
    const AddressList addresses = resolve(options);
    for (const addrinfo* candidate = addresses.get();; candidate = candidate->ai_next) {
        try {
            return listen_at(*candidate, options.backlog);
        } catch (const std::system_error&) {
            // A name can have several addresses: the next one may do. The last one's error is the
            // answer.
            if (candidate->ai_next == nullptr) {
                throw;
            }
        }
    }
}

void announce(const Fd& listener) {
    Address address;
    check(::getsockname(listener.get(), address.get(), &address.length), "getsockname");
    // dprintf writes at once. A buffered printf could leave the line unsent until the server ends.
    check(::dprintf(STDOUT_FILENO, "listening on %s\n", to_string(address).c_str()),
          "write the ready line to stdout");
}
