// Makes system calls of a running server fail, to see what it does on errors that are rare.
#pragma once

#include <string>

#include "support/server.hpp"

/// While it lives, strace(1) makes system calls of the server and of its children fail.
///
/// A fault is written as strace wants it: "read:error=EINTR:when=1+2" fails the first and every
/// second read from then on. Throws TimedOut when strace cannot attach; ask can_inject_faults()
/// first.
class FaultInjection {
public:
    FaultInjection(const Server& server, const std::string& fault);

    /// How many calls have failed by it so far.
    std::size_t count() const;

private:
    Program strace_;
};

/// Whether strace can attach to a process here. A test that injects faults is skipped where it
/// cannot.
bool can_inject_faults();
