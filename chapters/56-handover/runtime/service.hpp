// What a service manager and a server say to each other: listeners come in, and readiness goes out.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "fd.hpp"
#include "program.hpp"

/// The value of an environment variable, 0 where it is not set. Throws std::runtime_error where it
/// is no number.
inline int number_in(const char* variable) {
    const char* const value = std::getenv(variable);
    const std::string_view text = value ? value : "0";
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
        throw std::runtime_error(std::string(variable) + ": '" + value + "' is no number");
    }
    return number;
}

/// Takes over the listeners that were opened for this process (sd_listen_fds(3)): as many as
/// LISTEN_FDS says, from descriptor 3 on, if LISTEN_PID is the number of this process; none, if it
/// is not. Throws std::runtime_error where one of them is no TCP socket that listens.
inline std::vector<Fd> take_listeners() {
    const bool are_for_us = number_in("LISTEN_PID") == ::getpid();
    const int count = are_for_us ? number_in("LISTEN_FDS") : 0;
    std::vector<Fd> listeners;
    for (int i = 0; i < count; ++i) {
        const int number = 3 + i;
        const auto option = [number](int name) {
            int value = 0;
            socklen_t size = sizeof value;
            return ::getsockopt(number, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
        };
        if (option(SO_ACCEPTCONN) != 1 || option(SO_PROTOCOL) != IPPROTO_TCP) {
            throw std::runtime_error("LISTEN_FDS: descriptor " + std::to_string(number) +
                                     " is no TCP socket that listens");
        }
        listeners.emplace_back(number);
        check(::fcntl(number, F_SETFD, FD_CLOEXEC), "fcntl");
        const int on = 1;
        check(::setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
        check(::setsockopt(number, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), "setsockopt");
    }
    return listeners;
}

/// Tells the service manager what it wants to know (sd_notify(3)): nothing, where it has named no
/// socket. A message that does not arrive is reported on stderr, and the server goes on.
inline void notify(std::string_view message) noexcept {
    const char* const name = std::getenv("NOTIFY_SOCKET");
    if (!name) {
        return;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(name);
    if (length >= sizeof address.sun_path) {
        report({"NOTIFY_SOCKET ", name, ": ", std::strerror(ENAMETOOLONG)});
        return;
    }
    std::memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';  // A name that is no file's: unix(7), "abstract".
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (socket.get() == -1 ||
        ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size) == -1) {
        report({"NOTIFY_SOCKET ", name, ": ", std::strerror(errno)});
    }
}
