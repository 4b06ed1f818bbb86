// The next version of this program: it is started with the listeners.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "fd.hpp"
#include "service.hpp"

/// Starts the program at `path` with listeners of this one, as sd_listen_fds(3) has it, and returns
/// its number. `are_shared`: with a process that keeps them. Throws std::system_error.
inline pid_t start_successor(const char* path, char* const* arguments,
                             const std::vector<Fd>& listeners, bool are_shared) {
    check(::access(path, X_OK), "access", path);
    // What the child gets, from descriptor 3 on: copies for now, above the places where they go.
    constexpr int first = 3;
    const int count = static_cast<int>(listeners.size());
    const int above = first + count;
    std::vector<Fd> passed;
    for (const Fd& listener : listeners) {
        passed.emplace_back(check(::fcntl(listener.get(), F_DUPFD_CLOEXEC, above), "fcntl"));
    }

    std::string pid = "LISTEN_PID=..........";  // The child's: it is not known yet.
    char* const number = &pid[pid.find('.')];
    std::vector<std::string> variables{"LISTEN_FDS=" + std::to_string(count),
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
    const pid_t child = check(::fork(), "fork");
    if (child == 0) {
        for (int i = 0; i < count; ++i) {
            ::dup2(passed[static_cast<std::size_t>(i)].get(), first + i);
        }
        *std::to_chars(number, &pid.back(), ::getpid()).ptr = '\0';
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execve(path, arguments, environment.data());
        ::_exit(127);
    }
    return child;
}

/// Whether others have the listeners that have come, too, and keep them. A predecessor, which says
/// that in HANDOVER_SHARED, does not.
inline bool are_listeners_shared() {
    return !std::getenv("HANDOVER_SHARED") || number_in("HANDOVER_SHARED") == 1;
}
