#include "support/strace.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/deadline.hpp"
#include "support/proc.hpp"
#include "support/rest.hpp"

namespace {

/// The server and the children that it has by now.
std::vector<pid_t> processes_of(const Server& server) {
    std::vector<pid_t> all = proc::children(server.pid());
    all.push_back(server.pid());
    return all;
}

/// The words with which strace attaches to the server and to the children that it has by now, to
/// follow these calls.
std::vector<std::string> strace_arguments(const Server& server, const std::string& calls) {
    std::vector<std::string> words{"-f", "-qq",         "-a", "1",
                                   "-e", "signal=none", "-e", "trace=" + calls};
    for (const pid_t process : processes_of(server)) {
        words.insert(words.end(), {"-p", std::to_string(process)});
    }
    return words;
}

std::vector<std::string> injecting_arguments(const Server& server, const std::string& calls,
                                             const std::string& fault) {
    std::vector<std::string> words = strace_arguments(server, calls);
    if (!fault.empty()) {
        words.insert(words.end(), {"-e", "inject=" + fault});
    }
    return words;
}

SwitchesOfThreads switches_at_rest(const Server& server) {
    // A server that prints its ready line may have children yet to start.
    wait_until_at_rest(server);
    SwitchesOfThreads switches;
    for (const pid_t process : processes_of(server)) {
        switches.merge(proc::voluntary_switches_of_threads(process));
    }
    return switches;
}

/// strace takes one thread after another, and the next client may be served by the last of them.
/// And a call in which a thread sleeps is not seen before the thread has been stopped, which is a
/// switch, and has begun the call anew: until then the client might be accepted by it.
void wait_until_attached(const Program& strace, const Server& server,
                         const SwitchesOfThreads& before) {
    wait_until("strace has attached to the server", [&] {
        if (!strace.is_running()) {
            throw std::runtime_error("strace has ended: " + strace.diagnostics());
        }
        const std::vector<pid_t> all = processes_of(server);
        return std::all_of(all.begin(), all.end(), proc::is_traced) &&
               std::all_of(before.begin(), before.end(), [](const auto& thread) {
                   return proc::voluntary_switches(thread.first) > thread.second;
               });
    });
}

}  // namespace

SystemCallTrace::SystemCallTrace(const Server& server, const std::string& calls,
                                 const std::string& fault)
    : before_(switches_at_rest(server)),
      strace_("strace", {.arguments = injecting_arguments(server, calls, fault)}) {
    wait_until_attached(strace_, server, before_);
}

std::vector<std::string> SystemCallTrace::lines() const {
    std::istringstream log(strace_.diagnostics());
    std::vector<std::string> found;
    for (std::string line; std::getline(log, line);) {
        found.push_back(line);
    }
    return found;
}

std::size_t SystemCallTrace::count(const std::string& call) const {
    const std::vector<std::string> all = lines();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& line) {
        return line.starts_with(call + "(") && line.find(") = ") != std::string::npos;
    }));
}

FaultInjection::FaultInjection(const Server& server, const std::string& fault)
    : before_(switches_at_rest(server)),
      strace_("strace",
              {.arguments = injecting_arguments(server, fault.substr(0, fault.find(':')), fault)}) {
    wait_until_attached(strace_, server, before_);
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

bool can_attach_strace() {
    static const bool can_attach = [] {
        // With 1 or more the Yama module lets nobody but root attach to a process that he has not
        // started.
        int ptrace_scope = 0;
        std::ifstream("/proc/sys/kernel/yama/ptrace_scope") >> ptrace_scope;
        return (ptrace_scope == 0 || ::geteuid() == 0) &&
               std::system("strace -o /dev/null true >/dev/null 2>&1") == 0;
    }();
    return can_attach;
}

void require_strace() {
    if (!can_attach_strace()) {
        SKIP("strace may not attach to a running process here (./learn doctor tells)");
    }
}
