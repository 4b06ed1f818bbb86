// The next version of this program: it is started with the listeners, and says when it is ready.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "fd.hpp"

/// A process that has been started with our listeners, in the manner of sd_listen_fds(3). Where it
/// is not let go, it ends with its owner.
class Successor {
public:
    /// Starts the program at `path` anew. Throws std::system_error.
    Successor(const std::string& path, char* const* arguments, const std::vector<Fd>& listeners);
    Successor(const Successor&) = delete;
    Successor& operator=(const Successor&) = delete;
    ~Successor();

    /// Readable when it has said something, and when it has ended.
    const Fd& words() const noexcept { return words_; }
    const Fd& end() const noexcept { return end_; }

    /// Whether it has said that it is ready.
    bool is_ready() const noexcept;

    pid_t pid() const noexcept { return pid_; }

    /// From now on it lives without us.
    void let_go() noexcept { pid_ = 0; }

private:
    Fd words_;
    pid_t pid_ = 0;
    Fd end_;
};

inline Successor::Successor(const std::string& path, char* const* arguments,
                            const std::vector<Fd>& listeners)
    : words_(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")) {
    // An address of its own, which the kernel chooses: unix(7), "autobind".
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    check(::bind(words_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)),
          "bind");
    socklen_t size = sizeof address;
    check(::getsockname(words_.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    const std::size_t length = size - offsetof(sockaddr_un, sun_path);
    const std::string name = "@" + std::string(address.sun_path + 1, length - 1);

    // All that needs memory is done before the fork: in the child of a process with threads only
    // calls that are safe in a signal handler may be made. The child's number is not known yet.
    std::string pid_variable = "LISTEN_PID=0000000000";
    std::vector<std::string> variables{"LISTEN_FDS=" + std::to_string(listeners.size()),
                                       "NOTIFY_SOCKET=" + name};
    for (char** variable = environ; *variable; ++variable) {
        const std::string_view text = *variable;
        if (!text.starts_with("LISTEN_") && !text.starts_with("NOTIFY_SOCKET=")) {
            variables.emplace_back(text);
        }
    }
    std::vector<char*> environment{pid_variable.data()};
    for (std::string& variable : variables) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);
    constexpr int first = 3;
    const int above = first + static_cast<int>(listeners.size());
    std::vector<Fd> copies;  // Above those places in which the child's listeners are to stand.
    for (const Fd& listener : listeners) {
        copies.emplace_back(check(::fcntl(listener.get(), F_DUPFD_CLOEXEC, above), "fcntl"));
    }
    sigset_t none;
    ::sigemptyset(&none);

    const pid_t child = check(::fork(), "fork");
    if (child == 0) {
        for (std::size_t i = 0; i < copies.size(); ++i) {
            ::dup2(copies[i].get(), first + static_cast<int>(i));
        }
        char* digit = &pid_variable.back();
        for (pid_t rest = ::getpid(); rest > 0; rest /= 10) {
            *digit-- = static_cast<char>('0' + rest % 10);
        }
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execve(path.c_str(), arguments, environment.data());
        ::_exit(127);
    }
    pid_ = child;
    end_ = Fd{check(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)), "pidfd_open")};
}

inline Successor::~Successor() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

inline bool Successor::is_ready() const noexcept {
    std::array<char, 4096> message;
    const ssize_t size = ::recv(words_.get(), message.data(), message.size(), 0);
    return size > 0 &&
           std::string_view(message.data(), static_cast<std::size_t>(size)).find("READY=1") !=
               std::string_view::npos;
}
