// A server and its next versions, as their service manager sees them.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <stdexcept>
#include <string>

#include "check.hpp"
#include "support/deadline.hpp"
#include "support/notifications.hpp"
#include "support/server.hpp"

/// The settings with a manager that is told.
inline StartSettings told_to(const Notifications& manager, StartSettings settings = {}) {
    settings.environment.emplace_back("NOTIFY_SOCKET", manager.name());
    return settings;
}

/// Tells the process (SIGHUP) to start its next version, and returns the number of that, which the
/// manager is told, when it is ready.
inline pid_t upgrade(pid_t process, const Notifications& manager) {
    check(::kill(process, SIGHUP), "kill");
    const std::string main_pid = "MAINPID=";
    bool is_ready = false;
    pid_t successor = 0;
    while (!is_ready || successor == 0) {
        const std::string message = manager.next();
        if (message.starts_with(main_pid)) {
            successor = std::stoi(message.substr(main_pid.size()));
        } else if (message == "READY=1") {
            is_ready = true;
        } else {
            throw std::runtime_error("the manager is told: " + message);
        }
    }
    return successor;
}

/// How a process has ended whose parent has ended before it, so that it is the tests' own.
inline std::string wait_for_orphan(pid_t process) {
    int status = 0;
    wait_until("process " + std::to_string(process) + " has ended",
               [&] { return ::waitpid(process, &status, WNOHANG) == process; });
    return WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status))
                             : "killed by signal " + std::to_string(WTERMSIG(status));
}
