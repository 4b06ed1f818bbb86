#include "bench/system_calls.hpp"

#include <linux/perf_event.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "check.hpp"
#include "support/deadline.hpp"

namespace {

namespace fs = std::filesystem;

/// The number of the tracepoint on this kernel; 0 where it cannot be read.
std::uint64_t tracepoint_number() {
    std::uint64_t number = 0;
    for (const char* folder : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
        std::ifstream file(std::string(folder) + "/events/raw_syscalls/sys_enter/id");
        if (file >> number) {
            break;
        }
    }
    return number;
}

/// Whether a process is being traced, by its "TracerPid:" line in /proc/PID/status.
bool is_traced(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
    for (std::string word; file >> word;) {
        if (word == "TracerPid:") {
            pid_t tracer = 0;
            file >> tracer;
            return tracer != 0;
        }
    }
    return false;
}

/// The number of calls in the last line of `strace -c`: "100.00 0.012345 3 4711 12 total", where
/// the number of failed ones may be missing.
std::uint64_t total_of(const std::string& summary) {
    std::istringstream lines(summary);
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with(" total")) {
            std::istringstream words(line);
            std::string ignored;
            std::uint64_t calls = 0;
            words >> ignored >> ignored >> ignored >> calls;
            return calls;
        }
    }
    throw std::runtime_error("strace has printed no total: " + summary);
}

}  // namespace

SystemCallCounter::SystemCallCounter(const MeasuredServer& server) {
    if (!open_tracepoint(server)) {
        attach_strace(server);
    }
}

SystemCallCounter::~SystemCallCounter() = default;

std::uint64_t SystemCallCounter::finish() {
    if (strace_ != nullptr) {
        strace_->signal(SIGINT);
        strace_->wait_for_exit();
        return total_of(strace_->diagnostics());
    }
    std::uint64_t sum = 0;
    for (const Fd& tracepoint : tracepoints_) {
        std::uint64_t count = 0;
        check(::read(tracepoint.get(), &count, sizeof count), "read a tracepoint");
        sum += count;
    }
    tracepoints_.clear();
    return sum;
}

/// Returns whether the kernel lets us.
bool SystemCallCounter::open_tracepoint(const MeasuredServer& server) {
    perf_event_attr wanted{};
    wanted.type = PERF_TYPE_TRACEPOINT;
    wanted.size = sizeof wanted;
    wanted.config = tracepoint_number();
    wanted.inherit = 1;  // Threads and processes that are started from here on count, too.
    for (const pid_t process : server.processes()) {
        const fs::path threads = "/proc/" + std::to_string(process) + "/task";
        for (const fs::directory_entry& thread : fs::directory_iterator(threads)) {
            const long fd =
                ::syscall(SYS_perf_event_open, &wanted, std::stoi(thread.path().filename()), -1, -1,
                          PERF_FLAG_FD_CLOEXEC);
            if (fd == -1) {
                tracepoints_.clear();
                return false;
            }
            tracepoints_.emplace_back(static_cast<int>(fd));
        }
    }
    return true;
}

void SystemCallCounter::attach_strace(const MeasuredServer& server) {
    StartSettings settings{.arguments = {"-c", "-f", "-qq"}};
    const std::vector<pid_t> all = server.processes();
    for (const pid_t process : all) {
        settings.arguments.insert(settings.arguments.end(), {"-p", std::to_string(process)});
    }
    strace_ = std::make_unique<Program>("strace", settings);
    wait_until("strace has attached to the server", [&] {
        if (!strace_->is_running()) {
            throw std::runtime_error(
                "system calls can be counted neither with a tracepoint (as root, or with sysctl "
                "kernel.perf_event_paranoid=-1) nor with strace: " +
                strace_->diagnostics());
        }
        return is_traced(all.back());
    });
}
