// How many system calls a running server makes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/measured_server.hpp"

/// Counts the system calls of a server, its descendants and all their threads from the moment at
/// which it is made.
///
/// With the kernel's tracepoint raw_syscalls:sys_enter where that is allowed (to root, or by
/// kernel.perf_event_paranoid = -1): it hardly slows the server. Otherwise with strace, which slows
/// it so much that more events wait for it at each wake-up, and so fewer calls are made for each.
class SystemCallCounter {
public:
    /// Throws std::runtime_error, saying what is missing, when neither can be had.
    explicit SystemCallCounter(const MeasuredServer& server);
    ~SystemCallCounter();
    SystemCallCounter(const SystemCallCounter&) = delete;
    SystemCallCounter& operator=(const SystemCallCounter&) = delete;

    /// The calls so far. Ends the counting.
    std::uint64_t finish();

    /// "tracepoint" or "strace".
    std::string method() const { return strace_ == nullptr ? "tracepoint" : "strace"; }

private:
    bool open_tracepoint(const MeasuredServer& server);
    void attach_strace(const MeasuredServer& server);

    std::vector<Fd> tracepoints_;  ///< one for each thread
    std::unique_ptr<Program> strace_;
};
