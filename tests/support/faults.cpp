#include "support/faults.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "support/deadline.hpp"

namespace {

/// Whether the process is being traced, by its "TracerPid:" line in /proc/PID/status.
bool is_traced(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("TracerPid:")) {
            return std::stoi(line.substr(line.find(':') + 1)) != 0;
        }
    }
    return false;
}

}  // namespace

FaultInjection::FaultInjection(const Server& server, const std::string& fault)
    : strace_("strace",
              {.arguments = {"-f", "-qq", "-e", "trace=" + fault.substr(0, fault.find(':')), "-e",
                             "signal=none", "-e", "inject=" + fault, "-p",
                             std::to_string(server.pid())}}) {
    wait_until("strace has attached to the server", [&] {
        if (!strace_.is_running()) {
            throw std::runtime_error("strace has ended: " + strace_.diagnostics());
        }
        return is_traced(server.pid());
    });
}

std::size_t FaultInjection::count() const {
    const std::string log = strace_.diagnostics();
    const std::string mark = "(INJECTED)";
    std::size_t found = 0;
    for (std::size_t at = log.find(mark); at != std::string::npos; at = log.find(mark, at + 1)) {
        ++found;
    }
    return found;
}

bool can_inject_faults() {
    static const bool can = std::system("strace -o /dev/null true >/dev/null 2>&1") == 0;
    return can;
}
