// What a service manager has: a listener that is older than its server.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "check.hpp"
#include "fd.hpp"
#include "support/server.hpp"

/// A TCP socket of the test's own that listens on 127.0.0.1, as socket(2) has made it: no option is
/// set. `flags` are those of socket(2). Throws std::system_error.
class OpenListener {
public:
    explicit OpenListener(int flags = 0)
        : fd_(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket")) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        check(::bind(fd_.get(), any, sizeof address), "bind");
        check(::listen(fd_.get(), 4096), "listen");
        socklen_t size = sizeof address;
        check(::getsockname(fd_.get(), any, &size), "getsockname");
        endpoint_ = {"127.0.0.1", ::ntohs(address.sin_port)};
    }

    const Fd& fd() const { return fd_; }
    const Endpoint& endpoint() const { return endpoint_; }

private:
    Fd fd_;
    Endpoint endpoint_;
};
