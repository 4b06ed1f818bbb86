// What a service manager hears of its services: sd_notify(3).
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "check.hpp"
#include "fd.hpp"
#include "support/deadline.hpp"

/// What a service manager listens to: a datagram socket, named by a file, or by no file (an
/// abstract name, which the kernel chooses).
class Notifications {
public:
    explicit Notifications(const std::string& path)
        : fd_(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = path.empty() ? sizeof(sa_family_t) : sizeof address;
        check(::bind(fd_.get(), any, size), "bind");
        size = sizeof address;
        check(::getsockname(fd_.get(), any, &size), "getsockname");
        name_ = path.empty() ? "@" + std::string(address.sun_path + 1,
                                                 size - offsetof(sockaddr_un, sun_path) - 1)
                             : path;
    }

    const std::string& name() const { return name_; }

    std::string next() const {
        const Deadline deadline;
        wait_for(fd_.get(), POLLIN, deadline, "for a message of the server");
        std::array<char, 4096> message;
        const ssize_t size = ::recv(fd_.get(), message.data(), message.size(), 0);
        return {message.data(), static_cast<std::size_t>(check(size, "recv"))};
    }

    /// Whether no message is there.
    bool is_silent() const {
        pollfd entry{fd_.get(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 0;
    }

private:
    Fd fd_;
    std::string name_;
};
