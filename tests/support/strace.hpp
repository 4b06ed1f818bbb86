// Looks at the system calls of a running server, or makes them fail: strace(1), attached to it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/server.hpp"

/// How often each thread of a server has given the processor away by itself, by its number.
using SwitchesOfThreads = std::map<pid_t, long long>;

/// Whether strace can attach to a running process. For what a test looks at beside the rest.
bool can_attach_strace();

/// Skips the test where strace cannot attach to a running process.
void require_strace();

/// While it lives, strace notes system calls of the server.
///
/// Which ones is written as strace wants it: "read,recvfrom". So is what is done to one of them:
/// "close:delay_enter=500000" has each close wait for half a second. Throws TimedOut when strace
/// cannot attach; call require_strace() first.
class SystemCallTrace {
public:
    SystemCallTrace(const Server& server, const std::string& calls, const std::string& fault = "");

    /// The calls so far, one a line, as strace prints them: `read(5, "hello", 65536) = 5`. A call
    /// that has not returned yet has no result. For a server with one thread.
    std::vector<std::string> lines() const;

    /// How many calls of this name have returned.
    std::size_t count(const std::string& call) const;

private:
    const SwitchesOfThreads before_;
    Program strace_;
};

/// While it lives, system calls of the server and of its children fail, to see what it does on
/// errors that are rare.
///
/// A fault is written as strace wants it: "read:error=EINTR:when=1+2" fails the first and every
/// second read from then on. Throws TimedOut when strace cannot attach; call
/// require_strace() first.
class FaultInjection {
public:
    FaultInjection(const Server& server, const std::string& fault);

    /// How many calls have failed by it so far.
    std::size_t count() const;

private:
    const SwitchesOfThreads before_;
    Program strace_;
};
