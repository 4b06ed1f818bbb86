// The next version of this program: it is started with the listeners, and says when it is ready.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "fd.hpp"
#include "service.hpp"

/// A process that has been started with listeners of this one, as sd_listen_fds(3) has it. Unless
/// it is let go, it ends with its owner.
class Successor {
public:
    /// Starts the program at `path`. `are_shared`: with a process that keeps the listeners. Throws
    /// std::system_error.
    Successor(const char* path, char* const* arguments, const std::vector<Fd>& listeners,
              bool are_shared);
    Successor(const Successor&) = delete;
    Successor& operator=(const Successor&) = delete;

    ~Successor() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    pid_t pid() const noexcept { return pid_; }

    /// Readable when it is ready, and when it has ended.
    const Fd& word() const noexcept { return word_; }

    /// To be asked once that is readable: which of the two it is.
    bool is_ready() const noexcept {
        char byte = 0;
        return ::read(word_.get(), &byte, 1) == 1;
    }

    /// From now on it lives without us.
    void let_go() noexcept { pid_ = 0; }

private:
    Fd word_;
    pid_t pid_ = 0;
};

inline Successor::Successor(const char* path, char* const* arguments,
                            const std::vector<Fd>& listeners, bool are_shared) {
    check(::access(path, X_OK), "access", path);
    std::array<int, 2> ends{};
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    word_ = Fd{ends[0]};
    const Fd theirs{ends[1]};

    // What the child gets, from descriptor 3 on: copies for now, above the places where they go.
    constexpr int first = 3;
    const int count = static_cast<int>(listeners.size());
    const int above = first + count + 1;
    std::vector<Fd> passed;
    for (const Fd& listener : listeners) {
        passed.emplace_back(check(::fcntl(listener.get(), F_DUPFD_CLOEXEC, above), "fcntl"));
    }
    passed.emplace_back(check(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, above), "fcntl"));

    std::string pid = "LISTEN_PID=..........";  // The child's: it is not known yet.
    char* const number = &pid[pid.find('.')];
    std::vector<std::string> variables{"LISTEN_FDS=" + std::to_string(count),
                                       "HANDOVER_READY=" + std::to_string(first + count),
                                       "HANDOVER_SHARED=" + std::to_string(are_shared ? 1 : 0)};
    for (char** variable = environ; *variable; ++variable) {
        const std::string_view text = *variable;
        if (!text.starts_with("LISTEN_") && !text.starts_with("HANDOVER_")) {
            variables.emplace_back(text);
        }
    }
    std::vector<char*> environment{pid.data()};
    for (std::string& variable : variables) {
        environment.push_back(variable.data());
    }
    environment.push_back(nullptr);

    // The child of a process with threads may make those calls only that a signal handler may: a
    // lock that another thread holds is never released in it (signal-safety(7)).
    pid_ = check(::fork(), "fork");
    if (pid_ == 0) {
        for (int i = 0; i <= count; ++i) {
            ::dup2(passed[static_cast<std::size_t>(i)].get(), first + i);
        }
        *std::to_chars(number, &pid.back(), ::getpid()).ptr = '\0';
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execve(path, arguments, environment.data());
        ::_exit(127);
    }
}

/// Whether others have the listeners that have come, too, and keep them. A predecessor, which says
/// that in HANDOVER_SHARED, does not.
inline bool are_listeners_shared() {
    return !std::getenv("HANDOVER_SHARED") || number_in("HANDOVER_SHARED") == 1;
}

/// Tells the predecessor, if there is one, that this process is ready. One that has ended meanwhile
/// does not want to know.
inline void tell_predecessor() {
    if (number_in("LISTEN_PID") == ::getpid() && std::getenv("HANDOVER_READY")) {
        const Fd predecessor{number_in("HANDOVER_READY")};
        ::send(predecessor.get(), "\n", 1, MSG_NOSIGNAL);
    }
}
