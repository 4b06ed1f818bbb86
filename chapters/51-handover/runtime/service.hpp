// What a service manager and a server say to each other: listeners come in, and readiness goes out.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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

/// The value of an environment variable as a number. Throws std::runtime_error where it is none.
inline int number_in(const char* variable) {
    const std::string_view text = std::getenv(variable);
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
        throw std::runtime_error(std::string(variable) + ": '" + std::string(text) +
                                 "' is no number of the protocol of sd_listen_fds(3)");
    }
    return number;
}

/// Takes over the listeners that were opened for this process (sd_listen_fds(3)): descriptors from
/// 3 on, as many as LISTEN_FDS says, if LISTEN_PID is our number. None where there are none. Throws
/// std::runtime_error when one of them is no TCP socket that listens.
inline std::vector<Fd> take_listeners() {
    constexpr int first = 3;  // SD_LISTEN_FDS_START
    std::vector<Fd> listeners;
    if (!std::getenv("LISTEN_PID") || !std::getenv("LISTEN_FDS") ||
        number_in("LISTEN_PID") != ::getpid()) {
        return listeners;
    }
    const int count = number_in("LISTEN_FDS");
    for (int number = first; number < first + count; ++number) {
        const auto option = [&](int name) {
            int value = 0;
            socklen_t size = sizeof value;
            return ::getsockopt(number, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
        };
        if (option(SO_ACCEPTCONN) != 1 || option(SO_PROTOCOL) != IPPROTO_TCP) {
            throw std::runtime_error("LISTEN_FDS: descriptor " + std::to_string(number) +
                                     " is no TCP socket that listens");
        }
        listeners.emplace_back(number);
        check(::fcntl(number, F_SETFD, FD_CLOEXEC), "fcntl");  // Ours alone, from now on.
    }
    ::unsetenv("LISTEN_PID");
    ::unsetenv("LISTEN_FDS");
    return listeners;
}

/// Tells the service manager something, if it wants to know (sd_notify(3)). Where it cannot be
/// told, that is said on stderr: no reason not to serve.
inline void notify(std::string_view message) noexcept {
    const char* const name = std::getenv("NOTIFY_SOCKET");
    if (!name) {
        return;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::min(std::strlen(name), sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';  // A name that is in no directory: unix(7), "abstract".
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == -1 ||
        ::send(socket.get(), message.data(), message.size(), MSG_NOSIGNAL) == -1) {
        report({"NOTIFY_SOCKET ", name, ": ", std::strerror(errno)});
    }
}
