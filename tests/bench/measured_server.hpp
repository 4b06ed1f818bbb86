// A server whose processor time, system calls and memory are counted.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/server.hpp"

/// Has this thread, and whatever it starts from here on, run on one processor only.
void stay_on_processor(int processor);

/// The processors on which this process may run.
std::vector<int> allowed_processors();

/// One run of a server that need not be a chapter's: it prints the ready line of the contract and
/// takes `--port 0`. The destructor ends it and its children.
class MeasuredServer {
public:
    /// Starts the command, a program and its arguments, split at blanks. `--port 0` is added where
    /// it names no port. Throws std::runtime_error, with what the server has written to stderr,
    /// when it does not come up.
    explicit MeasuredServer(const std::string& command);

    const std::string& command() const { return command_; }
    const Endpoint& endpoint() const { return endpoint_; }

    /// Lets it and its children have as many descriptors as this process may have.
    void raise_descriptor_limit() const;

    /// Processor time, user and system, of all threads of the server and of its descendants, those
    /// that have ended included.
    ///
    /// In nanoseconds (clock_getcpuclockid(3)), except for children that have ended and were waited
    /// for, of whom the kernel tells ticks of 10 ms. On a loopback interface the kernel does a part
    /// of the receiver's work in the sender's send(): that part is counted here for what the server
    /// sends, and for the load for what the load sends.
    std::chrono::nanoseconds processor_time() const;

    /// Memory of its own in RAM, in bytes, of the server and its descendants: neither files nor
    /// what the kernel holds for it. A page that several of them share counts once (Pss_Anon).
    std::uint64_t anonymous_bytes() const;

    /// The server and its descendants.
    std::vector<pid_t> processes() const;

    /// Whether it is on a processor even though nobody asks it for anything, as `nonblocking` is.
    /// Such a server has to be stopped while others are measured.
    bool spins() const;

    /// What it and its children have written to stderr so far.
    std::string diagnostics() const { return program_.diagnostics(); }

    void stop() const { program_.stop_all(); }
    void go_on() const { program_.continue_all(); }

private:
    std::string command_;
    Program program_;
    Endpoint endpoint_;
};
